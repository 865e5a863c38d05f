import { Fragment, type ReactNode } from "react";
import type { Confidence } from "./model";
import { percent } from "@/lib/format";
import { ideas as words } from "@/lib/strings";

const PARTS = ["strategy", "market", "account"] as const;
const share = (value: number | boolean | null | undefined): number | null => (typeof value === "number" ? value : null);

/** The score as a stacked bar of its parts, what was taken off, and the reasons. */
export function Score(props: { confidence: Confidence | null; reasons: readonly string[]; notes: readonly string[]; remark: string | undefined }): ReactNode {
  const { confidence, reasons, notes, remark } = props;
  if (!confidence) return <><div className="dim">{words.noScore}</div>{notes.map((note) => <div key={note}>{note}</div>)}</>;
  const { parts } = confidence;
  const taken = Object.entries(words.penaltyOf).flatMap(([name, label]) => {
    const points = share(parts[name]);
    return points === null || points === 0 ? [] : [`${label} −${points.toFixed(1)}`];
  });
  const [strong, weak] = [share(parts["strong_fraction"]), share(parts["weak_fraction"])];
  return (
    <>
      <div className="ideas-total num">{confidence.score.toFixed(1)}<span className="dim"> / 100</span></div>
      <div className="ideas-stack" role="img" aria-label={PARTS.map((part) => `${words.parts[part]} ${confidence[part].toFixed(1)}`).join(", ")}>
        {PARTS.map((part) => <i key={part} data-part={part} style={{ width: `${Math.max(0, confidence[part])}%` }} />)}
      </div>
      <div className="ideas-legend">
        {PARTS.map((part) => <span key={part}><i data-part={part} aria-hidden /> {words.parts[part]} <b className="num">{confidence[part].toFixed(1)}</b></span>)}
      </div>
      <div className="dim">{[strong === null ? "" : words.strong(percent(strong, 0)), weak ? words.weak(percent(weak, 0)) : ""].filter(Boolean).join(", ")}</div>
      {taken.length > 0 && <div className="dim">{words.penalties}: {taken.map((one, at) => <Fragment key={one}>{at > 0 && ", "}<span className="num">{one}</span></Fragment>)}</div>}
      {reasons.map((reason) => <div key={reason}>{reason}</div>)}
      {notes.map((note) => <div key={note} className="dim">{note}</div>)}
      {remark && <div><span className="dim">{words.remark}:</span> {remark}</div>}
    </>
  );
}
