import "./tasks.css";
import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { DeadLetters } from "./DeadLetters";
import { Durations } from "./Durations";
import { History } from "./History";
import { Live } from "./Live";
import { HistoryLink } from "./parts";
import * as own from "./read";
import { Run } from "./Run";
import { Schedules } from "./Schedules";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { useClocks, useNow } from "@/lib/clock";
import { duration } from "@/lib/format";
import { status } from "@/lib/queries";
import { common, tasks as words } from "@/lib/strings";

const VIEWS = { live: Live, schedules: Schedules, history: History, durations: Durations, run: Run, dead: DeadLetters } as const;
type View = keyof typeof VIEWS;

/** What runs, what waits, what went wrong, and what to do about it. */
export function Page(): ReactNode {
  const [{ view }, change] = useFilters(["view"]);
  const shown: View = Object.hasOwn(VIEWS, view) ? (view as View) : "live";
  const Part = VIEWS[shown];
  return (
    <>
      <h1 className="away">{words.title}</h1>
      <div className="grid12" style={{ marginBottom: 12 }}><FourNumbers go={(to) => change({ view: to })} /></div>
      <Tabs value={shown} onChange={(to) => change({ view: to === "live" ? null : to })} keepMounted={false} className="tabs">
        <Tabs.List aria-label={words.views_label} mb={12}>
          {Object.entries(words.views).map(([key, label]) => <Tabs.Tab key={key} value={key}>{label}</Tabs.Tab>)}
        </Tabs.List>
        <Tabs.Panel value={shown}><Part /></Tabs.Panel>
      </Tabs>
    </>
  );
}

function FourNumbers({ go }: { go: (view: View) => void }): ReactNode {
  const desk = useQuery(status);
  const plans = useQuery(own.schedules);
  const now = useNow();
  const { deskAhead, wallAhead } = useClocks();
  const late = plans.data?.schedules.filter((one) => own.overdue(one, now + deskAhead, now + wallAhead) > 0) ?? [];
  return (
    <>
      <section className="card span3" title={words.failedTip}>
        <h2>{words.failed}</h2>
        <StateOf query={desk} what={words.failed} height={44}>
          {({ jobs }) => (
            <>
              <Big danger={jobs.failed > 0}>{jobs.failed > 0 ? <HistoryLink filters={{ status: "failed" }}>{jobs.failed}</HistoryLink> : jobs.failed}</Big>
              <div className="dim">{words.succeeded(jobs.succeeded)}</div>
            </>
          )}
        </StateOf>
      </section>
      <section className="card span3" title={words.lateTip}>
        <h2>{words.late}</h2>
        <StateOf query={plans} what={words.late} height={44}>
          {({ schedules }) => (
            <>
              <Big danger={late.length > 0}>{late.length}</Big>
              <div className="dim">{late.length > 0 ? late.map(({ name }) => name).join(", ") : words.lateNone(schedules.filter(({ enabled, paused }) => enabled && !paused).length)}</div>
            </>
          )}
        </StateOf>
      </section>
      <section className="card span3" title={words.oldestTip}>
        <h2>{words.oldest}</h2>
        <StateOf query={desk} what={words.oldest} height={44}>
          {({ jobs }) => (
            <>
              <Big>{jobs.oldest_waiting_seconds === null ? common.unknown : duration(jobs.oldest_waiting_seconds)}</Big>
              <div className="dim">{jobs.oldest_waiting_seconds === null ? words.nothingWaits : words.waitingNow(jobs.waiting, jobs.running)}</div>
            </>
          )}
        </StateOf>
      </section>
      <section className="card span3" title={words.deadTip}>
        <h2>{words.dead}</h2>
        <StateOf query={desk} what={words.dead} height={44}>
          {({ jobs }) => (
            <>
              <Big danger={jobs.dead_letters > 0}>
                {jobs.dead_letters > 0 ? <button type="button" className="link" onClick={() => go("dead")}>{jobs.dead_letters}</button> : jobs.dead_letters}
              </Big>
              <div className="dim">{words.lookDead}</div>
            </>
          )}
        </StateOf>
      </section>
    </>
  );
}

function Big({ danger = false, children }: { danger?: boolean; children: ReactNode }): ReactNode {
  return <div className={danger ? "num danger" : "num"} style={{ fontSize: 20, fontWeight: 600 }}>{children}</div>;
}
