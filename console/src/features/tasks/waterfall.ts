import { ENDED, type Job } from "./parts";

export type Span = { kind: "publishing" | "waiting" | "running" | "between"; from: number; to: number; worker: string | null; run: number; how: string };
export type Mark = { kind: string; at: number };

/** A job's life as spans that follow each other, and the remarks between them; an open span goes to `now`. */
export function waterfall(job: Pick<Job, "timeline" | "state">, now: number): { spans: Span[]; marks: Mark[] } {
  const spans: Span[] = [];
  const marks: Mark[] = [];
  let open: Omit<Span, "to" | "how"> | null = null;
  let run = 0;
  const close = (to: number, how: string): void => {
    if (open) spans.push({ ...open, to: Math.max(open.from, to), how });
    open = null;
  };
  const begin = (kind: Span["kind"], from: number, worker: string | null = null): void => {
    open = { kind, from, worker, run };
  };
  for (const { kind, at: when, worker } of job.timeline) {
    const at = Date.parse(when);
    const doing = (open as Span | null)?.kind;
    if (kind === "queued") {
      if (doing === undefined) begin("publishing", at);
    } else if (kind === "sent") {
      if (doing === "publishing") {
        close(at, kind);
        begin("waiting", at);
      }
    } else if (kind === "started") {
      close(at, doing === "running" ? "died" : kind);
      run += 1;
      begin("running", at, worker ?? null);
    } else if (kind === "retry" || kind === "released") {
      close(at, kind);
      begin("between", at);
    } else if ((ENDED as readonly string[]).includes(kind)) {
      if (doing !== undefined) close(at, kind);
    } else marks.push({ kind, at });
  }
  if (!ENDED.includes(job.state)) close(now, "");
  return { spans, marks };
}
