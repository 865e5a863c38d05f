import { expect, test } from "vitest";
import { waterfall } from "./waterfall";

const step = (kind: string, second: number, worker: string | null = null) => ({ kind, at: new Date(second * 1000).toISOString(), worker });
const told = (job: Parameters<typeof waterfall>[0], now = 0) =>
  waterfall(job, now * 1000).spans.map(({ kind, from, to, worker, how }) => [kind, from / 1000, to / 1000, worker, how]);

test("a job that is tried again: each wait and each run is a span of its own", () => {
  const timeline = [step("queued", 0), step("sent", 1), step("started", 3, "a"), step("lease", 4, "a"), step("retry", 5, "a"), step("started", 9, "b"), step("succeeded", 12, "b")];
  expect(told({ timeline, state: "succeeded" })).toEqual([
    ["publishing", 0, 1, null, "sent"], ["waiting", 1, 3, null, "started"], ["running", 3, 5, "a", "retry"], ["between", 5, 9, null, "started"], ["running", 9, 12, "b", "succeeded"],
  ]);
});
test("a worker that died with it ends its run where the next one begins; a running job goes on until now", () => {
  const timeline = [step("queued", 0), step("sent", 1), step("started", 2, "a"), step("started", 40, "b")];
  expect(told({ timeline, state: "started" }, 50).slice(2)).toEqual([["running", 2, 40, "a", "died"], ["running", 40, 50, "b", ""]]);
});
test("a job that began before its broker's answer was on record waited for nothing; a missed one never lived", () => {
  const timeline = [step("queued", 0), step("started", 1, "a"), step("sent", 2), step("failed", 3, "a")];
  expect(told({ timeline, state: "failed" })).toEqual([["publishing", 0, 1, null, "started"], ["running", 1, 3, "a", "failed"]]);
  expect(told({ timeline: [step("missed", 5)], state: "missed" })).toEqual([]);
});
