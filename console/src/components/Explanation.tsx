import type { ReactNode } from "react";
import type { Schemas } from "@/lib/api";
import { clock, percent } from "@/lib/format";
import { common } from "@/lib/strings";

const SIGN = { yes: "●", no: "○", open: "?" } as const;

/** Whether every condition of a strategy held at one bar, and the numbers that it compared. */
export function ExplanationView({ told }: { told: Schemas["Explanation"] }): ReactNode {
  const words = common.explained;
  return (
    <div>
      <div className="dim num">
        {told.symbol} {told.timeframe} · {words.bar} {clock(Date.parse(told.bar.opened), 0, { seconds: false })} UTC · O {told.bar.open} H {told.bar.high} L {told.bar.low} C {told.bar.close}
        {" · "}{told.in_session ? words.inSession : words.outOfSession}
      </div>
      {told.note && <div className="warn">{told.note}</div>}
      {told.conflict && <div className="warn">{words.conflict}</div>}
      {told.sides.map((side) => (
        <div key={side.direction} style={{ marginTop: 8 }}>
          <div><b className={side.direction === "long" ? "up" : "down"}>{side.direction === "long" ? "▲" : "▼"} {side.direction}</b>: <b>{side.signal ? words.signal : words.noSignal}</b> <span className="dim num">{words.strong} {percent(side.strong, 0)}, {words.weak} {percent(side.weak, 0)}</span></div>
          {side.conditions.map((one) => (
            <div key={one.pointer} className="row">
              <span className={one.holds === null ? "warn" : one.holds ? "up" : "dim"} aria-hidden>{one.holds === null ? SIGN.open : one.holds ? SIGN.yes : SIGN.no}</span>
              <span className="dim" style={{ width: 84, flex: "none" }}>{one.role}</span>
              <span className="what" title={one.meaning}>
                <b>{one.condition}</b> <span className="dim">{one.formula !== one.condition && one.formula}</span>
                <div className="dim">{one.operands.map(({ text, value, timeframe }) => `${text}${timeframe === told.timeframe ? "" : ` (${timeframe})`} = ${value === null ? common.unknown : Number(value.toPrecision(7))}`).join(" · ")}</div>
              </span>
              <span>{one.holds === null ? words.undefined : one.holds ? words.holds : words.fails}</span>
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}
