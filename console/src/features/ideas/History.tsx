import type { ReactNode } from "react";
import { digits, type Idea, type Step } from "./model";
import { RelativeTime } from "@/components/Numbers";
import { money, price } from "@/lib/format";
import { common, ideas as words } from "@/lib/strings";

const PRICES = new Set(["entry", "stop", "target"]);
const QUIET = new Set(["intent", "order", "position", "management", "fixed", "logged", "result", "margin"]);

/** Who did what, the newest first, with what changed. */
export function History({ idea }: { idea: Idea }): ReactNode {
  const fraction = digits(idea);
  const value = (name: string, one: unknown): string => {
    if (one === null || one === undefined) return common.unknown;
    if (typeof one === "number") return PRICES.has(name) ? price(one, fraction) : name === "risk_money" ? money(one, "", { signed: false }) : String(one);
    return typeof one === "string" ? one : JSON.stringify(one);
  };
  const changes = (step: Step): string =>
    Object.entries(step.changes).filter(([name]) => !QUIET.has(name)).map(([name, [before, after]]) => `${name.replaceAll("_", " ")} ${value(name, before)} → ${value(name, after)}`).join(", ");
  const refusals = (step: Step): string[] => ((step.details["refusals"] ?? []) as { reason: string }[]).map(({ reason }) => reason);
  return (
    <ol className="ideas-history" reversed>
      {[...idea.history].reverse().map((step) => {
        const turnedDown = step.action === "approve" && step.status === "pending_approval";
        return (
          <li key={step.version}>
            <span className={turnedDown ? "warn" : ""}><b>{turnedDown ? words.refusedAct : (words.act[step.action] ?? step.action)}</b></span>
            <span className="dim"> {words.by} {step.by}</span>
            <span className="ideas-when"><RelativeTime past at={step.at} /></span>
            {step.why && <div>{step.why}</div>}
            {changes(step) && <div className="dim num ideas-wrap">{changes(step)}</div>}
            {refusals(step).map((reason) => <div key={reason} className="warn">{reason}</div>)}
          </li>
        );
      })}
    </ol>
  );
}
