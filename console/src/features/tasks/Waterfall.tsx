import type { ReactNode } from "react";
import type { Job } from "./parts";
import { waterfall } from "./waterfall";
import { useClocks, useNow } from "@/lib/clock";
import { clock, duration } from "@/lib/format";
import { tasks as words } from "@/lib/strings";

/** A job's spans under each other, each where it lay in the whole. */
export function Waterfall({ job }: { job: Job }): ReactNode {
  const now = useNow();
  const { wallAhead } = useClocks();
  const { spans, marks } = waterfall(job, now + wallAhead);
  const [first, last] = [spans[0], spans.at(-1)];
  if (!first || !last) return <div className="dim">{words.state[job.state]}</div>;
  const whole = Math.max(1, last.to - first.from);
  const share = (at: number): number => Math.min(100, Math.max(0, ((at - first.from) / whole) * 100));
  return (
    <div className="waterfall">
      {spans.map((span, index) => {
        const name = `${words.span[span.kind] ?? span.kind}${span.kind === "running" ? ` ${span.run}` : ""}`;
        const how = span.how === "died" ? words.ends : span.how === "" ? words.goesOn : (words.step[span.how] ?? span.how);
        return (
          <div key={index} className="lane" title={`${name}: ${duration((span.to - span.from) / 1000)}, ${how}`}>
            <span className="what">{name} {span.worker && <span className="dim">{span.worker}</span>}</span>
            <span className="place" aria-hidden>
              <i data-kind={span.kind} data-how={span.how} style={{ left: `${share(span.from)}%`, width: `max(2px, ${share(span.to) - share(span.from)}%)` }} />
              {marks.filter(({ at }) => at >= span.from && at <= span.to).map(({ kind, at }, mark) => <b key={mark} title={words.step[kind] ?? kind} style={{ left: `${share(at)}%` }} />)}
            </span>
            <span className="num right">{duration((span.to - span.from) / 1000)}</span>
            <span className="dim how">{how}</span>
          </div>
        );
      })}
      <div className="lane total"><span className="what" /><span className="place scale"><span>0</span><span>{duration(whole / 2000)}</span><span>{duration(whole / 1000)}</span></span><span /><span className="how" /></div>
    </div>
  );
}

const KNOWN = new Set(["task", "queue", "kwargs", "actor", "key", "schedule", "planned_at", "expires_at", "desk", "error"]);

/** Every line of a job's history with its time and what it adds. */
export function Steps({ job }: { job: Job }): ReactNode {
  const steps = job.timeline;
  const start = Date.parse(steps[0]?.at ?? job.queued_at);
  return steps.map((step, index) => {
    const at = Date.parse(step.at);
    const extra = Object.entries(step.details ?? {}).filter(([name]) => !KNOWN.has(name)).map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`);
    return (
      <div key={index} className="row wraps">
        <span className="num dim" style={{ width: 176 }}>{clock(at, 0)}.{String(at % 1000).padStart(3, "0")} UTC</span>
        <span className="num dim" style={{ width: 76 }}>+{duration((at - start) / 1000)}</span>
        <b style={{ width: 150 }}>{words.step[step.kind] ?? step.kind}</b>
        <span className="what dim">{[step.worker ?? "", ...extra].filter(Boolean).join(" · ")}</span>
      </div>
    );
  });
}
