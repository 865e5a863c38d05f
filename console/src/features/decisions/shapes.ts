import { decisions as words } from "@/lib/strings";
import type { Schemas } from "@/lib/api";

export type Condition = { role: string; condition: string; meaning: string; formula: string; holds: boolean | null; operands: Record<string, number | string | null> };
export type Refusal = { check: string; reason: string; measured: number | null; bound: number | null; blocks: boolean };
export type Levels = { side: string; entry: number; stop: number; target: number | null; tick_size: number; reward_to_risk: number | null };
export type Size = { lots: number | null; risk_taken: number | null; margin: number | null; limited_by: string; refusal: string };

/** A decision as the journal keeps it; what a page shows of it. */
export type Decision = {
  strategy_id: string;
  symbol: string;
  timeframe: string;
  bar_close: string;
  decided_at: string;
  signal: string | null;
  action: string;
  reasons: string[];
  refusals: Refusal[];
  confidence: { score: number | null; strategy: number | null; market: number | null; account: number | null; parts: Record<string, number | boolean | null>; notes: string[] } | null;
  levels: Levels | null;
  size: Size | null;
  atr: number | null;
  facts: { conditions?: Record<string, Condition[]>; values?: Record<string, number | null> } | null;
  measured: Record<string, number | null> | null;
  circumstances: Record<string, unknown> | null;
  terms: Record<string, unknown> | null;
  strategy_hash: string;
  idea_id: string | null;
  missed: boolean;
  notes: string[];
};
export type Row = Schemas["DecisionRecord"];

export const of = (row: Row): Decision => row.decision as Decision;
export const plain = (name: string): string => name.replaceAll("_", " ");

const SIGNALS: Readonly<Record<string, string>> = { long: words.long, short: words.short, conflict: words.conflict };
export const signalWord = (signal: string | null): string => (signal === null ? words.noTrade : (SIGNALS[signal] ?? signal));

/** Entry conditions of the side that signals, or of the only side there is. */
export function entries(made: Decision): Condition[] {
  const sides = made.facts?.conditions ?? {};
  const side = made.signal && sides[made.signal] ? sides[made.signal] : Object.values(sides)[0];
  return (side ?? []).filter(({ role }) => role === "entry");
}

/** "XAUUSD M15: no trade; confidence 44.4 is below 51; 2 of 3 conditions hold". */
export function sentence(made: Decision): string {
  const conditions = entries(made);
  const held = conditions.filter(({ holds }) => holds === true).length;
  return [
    `${signalWord(made.signal)}${made.idea_id ? `, ${words.madeIdea}` : made.missed ? `, ${words.missedSaid}` : ""}`,
    ...made.reasons,
    ...(conditions.length > 0 ? [words.conditions(held, conditions.length)] : []),
  ].join("; ");
}

