import { Link } from "@tanstack/react-router";
import type { MouseEvent, ReactNode } from "react";
import type { Schemas } from "@/lib/api";
import { common, tasks as words } from "@/lib/strings";

export type Job = Schemas["JobView"];
export type State = Schemas["JobState"];

/** The last part of a task's full name. */
export const short = (task: string): string => task.slice(task.lastIndexOf(".") + 1);

const LOOK: Record<State, readonly [string, string]> = {
  queued: ["dim", "○"], sent: ["dim", "○"], started: ["", "▶"], retrying: ["warn", "↻"], succeeded: ["up", "✓"], failed: ["danger", "✕"],
  refused: ["warn", "–"], cancelled: ["dim", "■"], expired: ["warn", "◷"], lost: ["danger", "✕"], dead: ["danger", "✕"], missed: ["warn", "◷"],
};

export const ENDED: readonly State[] = ["succeeded", "failed", "refused", "cancelled", "expired", "lost", "dead", "missed"];

export function StateWord({ state }: { state: State | null }): ReactNode {
  if (state === null) return common.unknown;
  const [look, mark] = LOOK[state];
  return <span className={`${look} nowrap`}><span aria-hidden>{mark} </span>{words.state[state]}</span>;
}

const stay = (event: MouseEvent): void => event.stopPropagation();

export function JobLink({ id, children }: { id: string; children: ReactNode }): ReactNode {
  return <Link to={"/tasks/$id"} params={{ id }} onClick={stay} className="link">{children}</Link>;
}

/** A link to the history, filtered. */
export function HistoryLink({ filters, children }: { filters: Record<string, string>; children: ReactNode }): ReactNode {
  return <Link to={"/tasks"} search={{ view: "history", ...filters }} onClick={stay} className="link">{children}</Link>;
}

/** Arguments in one line: `symbol=EURUSD days=3`. */
export const line = (kwargs: Record<string, unknown>): string =>
  Object.entries(kwargs).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ");

export function Bar({ share, label, tone = "" }: { share: number; label: string; tone?: "" | "near" | "over" }): ReactNode {
  return (
    <div className="bar" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)}>
      <i className={tone} style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }} />
    </div>
  );
}
