import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { lastJudged, type Check, type Idea } from "./model";
import { api, take, type Schemas } from "@/lib/api";
import { common, ideas as words } from "@/lib/strings";

const TRUTHS = new Set(["ai_enabled", "halted", "conflict", "commission_known", "symbol_trading", "symbol_occupied", "duplicate", "session", "market_open", "news_embargo", "calendar_known"]);
const SHARES = new Set(["open_risk", "margin", "daily_loss", "daily_target", "drawdown"]);

function figure(check: string, value: number | null): string {
  if (value === null) return common.unknown;
  if (TRUTHS.has(check)) return value === 0 ? words.no : words.yes;
  if (check === "mode") return words.modes[value] ?? String(value);
  if (SHARES.has(check)) return `${(value * 100).toFixed(2)} %`;
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

/** The gate as a checklist: what refuses first, each with what was measured and what is allowed. */
export function Gate({ idea, preview, live }: { idea: Idea; preview: Schemas["Preview"] | null; live: boolean }): ReactNode {
  const { data } = useQuery({ queryKey: ["risk", "checks"], queryFn: () => take(api.GET("/api/risk/checks")), staleTime: 600_000, enabled: !live });
  const then = live ? null : lastJudged(idea);
  const checks: Check[] = live
    ? ((preview?.checks ?? []) as unknown as Check[])
    : ((data?.checks ?? []) as unknown as Check[])
        .filter(({ check }) => then !== null && (check in then.measured || check in then.refused))
        .map((one) => ({ ...one, measured: then?.measured[one.check] ?? null, bound: null, passed: !(then && one.check in then.refused), reason: then?.refused[one.check] ?? "" }));
  const listed = new Set(checks.map(({ check }) => check));
  const beside = ((preview?.refusals ?? []) as unknown as Check[]).filter(({ check }) => !listed.has(check)).map((one) => ({ ...one, meaning: one.check, passed: false }));
  const refusing = [...beside, ...checks.filter(({ passed }) => !passed)];
  const heading = (extra: ReactNode): ReactNode => <h2>{words.gate} {extra}</h2>;
  if (checks.length === 0 && refusing.length === 0)
    return <>{heading(null)}<div className="dim">{live ? (preview ? words.levelsGiveNone : common.loading) : words.gateNone}</div></>;
  return (
    <>
      {heading(<>
        <span className={refusing.length > 0 ? "warn" : "up"}>{refusing.length > 0 ? `▲ ${words.gateRefuses(refusing.length)}` : `✓ ${words.gatePasses}`}</span>
        {!live && <span className="dim"> · {words.gateThen}</span>}
      </>)}
      <table className="ideas-gate">
        <thead><tr><th scope="col">{words.check}</th><th scope="col">{words.measured}</th>{live && <th scope="col">{words.allowed}</th>}</tr></thead>
        <tbody>
          {[...refusing, ...checks.filter(({ passed }) => passed)].map(({ check, meaning, passed, measured, bound, reason }) => (
            <tr key={check} title={meaning} data-check={check} data-passed={passed}>
              <td><span className={passed ? "up" : "warn"} aria-label={passed ? "passes" : "refuses"}>{passed ? "✓" : "▲"}</span> {check.replaceAll("_", " ")}{!passed && <div className="warn">{reason}</div>}</td>
              <td className="num">{figure(check, measured)}</td>
              {live && <td className="num dim">{bound === null ? "" : figure(check, bound)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
