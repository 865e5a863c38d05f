import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Actions } from "./Actions";
import { NextTick } from "./NextTick";
import { Bar, HistoryLink, JobLink, line, short, StateWord, type Job } from "./parts";
import * as own from "./read";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { duration } from "@/lib/format";
import type { Schemas } from "@/lib/api";
import { common, tasks as words } from "@/lib/strings";

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1_048_576).toLocaleString("en-US")} MiB`;

/** Workers, queues, what runs and waits, what comes next. */
export function Live(): ReactNode {
  return (
    <div className="grid12">
      <div className="span8 stack">
        <section className="card"><h2>{words.active}</h2><Active /></section>
        <section className="card"><h2>{words.queues}</h2><Queues /></section>
        <section className="card"><h2>{words.workers}</h2><Workers /></section>
      </div>
      <section className="card span4"><h2>{words.next}</h2><Next /></section>
    </div>
  );
}

function Active(): ReactNode {
  const jobs = useQuery(own.live);
  const held = useQuery(own.active);
  const reserved = Object.entries(held.data?.scheduled ?? {}).filter(([, list]) => list.length > 0);
  return (
    <StateOf query={jobs} what={words.active} height={160} isEmpty={(list) => list.length === 0} empty={words.noActive}>
      {(list) => (
        <>
          {list.map((job) => <LiveJob key={job.id} job={job} />)}
          {reserved.map(([worker, list]) => (
            <div key={worker} className="row dim"><span className="what">{words.reserved}: {worker}</span><span className="num">{list.length}</span></div>
          ))}
        </>
      )}
    </StateOf>
  );
}

function LiveJob({ job }: { job: Job }): ReactNode {
  return (
    <div className="row wraps">
      <span style={{ width: 84 }}><StateWord state={job.state} /></span>
      <span className="what"><JobLink id={job.id}><b>{short(job.task)}</b></JobLink> <span className="dim">{line(job.kwargs)}</span></span>
      {job.progress && (
        <span style={{ width: 130 }}>
          <Bar share={job.progress.total > 0 ? job.progress.done / job.progress.total : 0} label={words.progress(job.progress.done, job.progress.total)} />
          <span className="dim num">{words.progress(job.progress.done, job.progress.total)}</span>
        </span>
      )}
      <span className="dim">{job.worker ?? job.queue}</span>
      <RelativeTime wall at={job.started_at ?? job.queued_at} />
      <Actions job={job} />
    </div>
  );
}

const AHEAD = 16;

function Next(): ReactNode {
  const plans = useQuery(own.schedules);
  return (
    <StateOf query={plans} what={words.next} height={160}>
      {({ schedules }) => {
        const ahead = schedules
          .filter(({ next_planned_at: at, enabled, paused }) => at !== null && enabled && !paused)
          .sort((one, other) => Date.parse(one.next_planned_at ?? "") - Date.parse(other.next_planned_at ?? ""))
          .slice(0, AHEAD);
        if (ahead.length === 0) return <div className="dim">{words.noNext}</div>;
        return ahead.map((one) => (
          <div key={one.name} className="row">
            <span className="what"><HistoryLink filters={{ schedule: one.name }}>{one.name}</HistoryLink></span>
            <NextTick row={one} />
          </div>
        ));
      }}
    </StateOf>
  );
}

function Workers(): ReactNode {
  const query = useQuery(own.workers);
  return (
    <StateOf query={query} what={words.workers} height={160} isEmpty={({ workers }) => workers.length === 0} empty={<span className="danger">{words.noWorkers(query.data?.reason ?? "")}</span>}>
      {({ workers }) => workers.map((one) => (
        <div key={one.name} className="row wraps">
          <span className={one.state === "alive" ? "up" : "danger"} aria-hidden>{one.state === "alive" ? "●" : "▲"}</span>
          <span className="what">
            <HistoryLink filters={{ worker: one.name }}><b>{one.name}</b></HistoryLink> {one.state !== "alive" && <span className="danger">{one.state}</span>}
            <div className="dim">{words.serves}: {one.queues.join(", ")}</div>
          </span>
          <span style={{ width: 92 }} title={words.loadTip}>
            <Bar share={one.concurrency > 0 ? one.active.length / one.concurrency : 0} tone={one.active.length >= one.concurrency ? "near" : ""} label={words.load(one.active.length, one.concurrency)} />
            <span className="dim num">{words.load(one.active.length, one.concurrency)}</span>
          </span>
          <Pair label={words.memory}>{mebibytes(one.rss)}</Pair>
          <Pair label={words.since}><RelativeTime wall at={one.started_at} /></Pair>
          <Pair label={words.report}>{duration(one.age)}</Pair>
          <span className="dim num" style={{ width: 66, textAlign: "right" }}>{words.done(one.processed)}</span>
        </div>
      ))}
    </StateOf>
  );
}

function Pair({ label, children }: { label: string; children: ReactNode }): ReactNode {
  return <span style={{ minWidth: 66 }}><span className="num">{children}</span><div className="dim small">{label}</div></span>;
}

function Queues(): ReactNode {
  const query = useQuery(own.queues);
  return (
    <StateOf query={query} what={words.queues} height={160}>
      {({ queues }) => {
        const most = Math.max(1, ...queues.map(({ waiting, running }) => waiting + running));
        return queues.map((one) => <Queue key={one.name} one={one} most={most} />);
      }}
    </StateOf>
  );
}

function Queue({ one, most }: { one: Schemas["QueueView"]; most: number }): ReactNode {
  const count = `${one.waiting} ${words.waiting}, ${one.running} ${words.running}`;
  return (
    <div className="row wraps">
      <span style={{ width: 112 }}><HistoryLink filters={{ queue: one.name }}><b>{one.name}</b></HistoryLink></span>
      <span style={{ flex: "1 1 220px" }} title={one.broker_depth === null ? words.depthUnknown : `${one.broker_depth} ${words.depth}`}>
        <div className="bar stacked" role="img" aria-label={count}>
          <b style={{ width: `${(one.running / most) * 100}%` }} /><i style={{ left: `${(one.running / most) * 100}%`, width: `${(one.waiting / most) * 100}%` }} className="near" />
        </div>
        <span className={one.waiting > 0 ? "warn" : "dim"}>{count}</span>
        {one.broker_depth !== null && <span className="dim">, {one.broker_depth} {words.depth}</span>}
        {one.workers.length === 0 && <span className="danger"> {words.nobody}</span>}
      </span>
      <Pair label={words.oldestShort}>{one.oldest_age === null ? common.unknown : duration(one.oldest_age)}</Pair>
      <span title={words.canaryTip}><Pair label={words.canary}>{duration(one.canary_age)}</Pair></span>
    </div>
  );
}
