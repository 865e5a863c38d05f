import type { Mark, Timeframe } from "@/components/LevelChart";
import type { Schemas } from "@/lib/api";
import { digitsOf } from "@/lib/format";

export type Step = {
  version: number; action: string; from: string | null; status: string; at: string; by: string; why: string;
  changes: Record<string, [unknown, unknown]>; details: Record<string, unknown>;
};
export type Idea = {
  id: string; decision_id: string | null; status: string; origin: string; created_at: string; expires_at: string | null;
  strategy_id: string | null; symbol: string; timeframe: Timeframe | null; bar_close: string; side: "buy" | "sell"; order_type: string;
  entry: number; stop: number; target: number | null; tick_size: number; reward_to_risk: number | null; volume: number | null;
  risk_money: number | null; margin: number | null; confidence: number | null; confidence_parts?: Confidence | null;
  circumstances: { embargo?: string; calendar_known?: boolean; calendar_reason?: string };
  fixed: Partial<Record<Field, number>>; reasons: string[]; notes: string[]; remark?: string; history: Step[]; version: number;
  order?: { ticket: number } | null;
  position?: { id: number; ticket: number; opened_at: string; price_open: number; volume: number } | null;
  result?: { closed_at: string; exit_price: number; exit_reason: string; net: number; r: number | null } | null;
};
export type Confidence = {
  score: number; strategy: number; market: number; account: number; parts: Record<string, number | boolean | null>; notes: string[];
};
export type Check = { check: string; meaning: string; passed: boolean; measured: number | null; bound: number | null; reason: string };
export const FIELDS = ["entry", "stop", "target", "volume"] as const;
export type Field = (typeof FIELDS)[number];
/** What a person wants otherwise; null gives a field back to the decision. */
export type Overrides = Partial<Record<Field, number | null>>;

export const GROUPS = {
  waiting: ["pending_approval"],
  approved: ["approved", "sending", "unknown", "placed"],
  open: ["open"],
  closed: ["closed"],
  rejected: ["rejected", "expired", "superseded", "cancelled", "refused", "failed"],
} as const satisfies Record<string, readonly Schemas["Status"][]>;
export type Group = keyof typeof GROUPS;
export const groupOf = (text: string): Group => (Object.hasOwn(GROUPS, text) ? (text as Group) : "waiting");
export const inGroup = (group: Group, counts: Readonly<Record<string, number>> | undefined): number | null =>
  counts ? GROUPS[group].reduce((sum, status) => sum + (counts[status] ?? 0), 0) : null;

export const digits = (idea: Idea): number => digitsOf(idea.tick_size);
export const named = (idea: Idea): string => `${idea.symbol} ${idea.side}`;
export const waits = (idea: Idea): boolean => idea.status === "pending_approval";
/** What may be withdrawn: not sent yet, or an order that waits at the broker. */
export const withdrawable = (idea: Idea): boolean => ["pending_approval", "approved", "placed"].includes(idea.status);

/** The gate's answer of when it was judged last, where the idea has kept it. */
export function lastJudged(idea: Idea): { measured: Record<string, number | null>; refused: Record<string, string> } | null {
  for (const { details } of [...idea.history].reverse()) {
    const verdict = details["verdict"] as { measured?: Record<string, number | null> } | undefined;
    const refusals = details["refusals"] as { check: string; reason: string }[] | undefined;
    if (!verdict?.measured && !refusals?.length) continue;
    return { measured: verdict?.measured ?? {}, refused: Object.fromEntries((refusals ?? []).map(({ check, reason }) => [check, reason])) };
  }
  return null;
}

/** Where it was filled and where it ended, as marks on its chart. */
export function marksOf(idea: Idea, words: { entry: string; exit: string }): Mark[] {
  const { position, result } = idea;
  const buy = idea.side === "buy";
  const made: Mark[] = [];
  if (position) made.push({ at: position.opened_at, text: `${words.entry} ${position.price_open.toFixed(digits(idea))}`, below: buy, colour: buy ? "var(--up)" : "var(--down)" });
  if (result) made.push({ at: result.closed_at, text: `${words.exit} ${result.exit_price.toFixed(digits(idea))}`, below: !buy, colour: "var(--mantine-color-dimmed)" });
  return made;
}
