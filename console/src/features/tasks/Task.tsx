import "./tasks.css";
import { ActionIcon, Group } from "@mantine/core";
import { IconCopy } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Actions } from "./Actions";
import { Bar, HistoryLink, JobLink, short, StateWord, type Job } from "./parts";
import { Steps, Waterfall } from "./Waterfall";
import { JsonView } from "@/components/JsonView";
import { Moment, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { duration } from "@/lib/format";
import { common, tasks as words } from "@/lib/strings";

/** One job: its life, what it was given, what it gave, why it failed, and what to do about it. */
export function Page(): ReactNode {
  const { id = "" }: { id?: string } = useParams({ strict: false });
  const query = useQuery({ queryKey: ["tasks", "one", id], queryFn: () => take(api.GET("/api/tasks/{task_id}", { params: { path: { task_id: id } } })), refetchInterval: 5000 });
  return (
    <>
      <p style={{ margin: "0 0 8px" }}><Link to={"/tasks"} search={{ view: "history" }} className="link">← {words.back}</Link></p>
      <StateOf query={query} what={words.one} height={400}>{(job) => <Shown job={job} />}</StateOf>
    </>
  );
}

function Shown({ job }: { job: Job }): ReactNode {
  return (
    <>
      <Group justify="space-between" mb={10} gap={8}>
        <Group gap={12} align="baseline">
          <h1 style={{ fontSize: 18, margin: 0, overflowWrap: "anywhere" }}>{short(job.task)}</h1>
          <b><StateWord state={job.state} /></b>
          <RelativeTime wall at={job.finished_at ?? job.started_at ?? job.queued_at} />
          {job.cancel_requested && <span className="warn">{words.stopAsked}</span>}
        </Group>
        <Actions job={job} follow />
      </Group>
      <div className="grid12">
        {job.error && (
          <section className="card span12" role="alert">
            <h2>{words.error}</h2>
            <div className="danger"><b>{job.error.code}</b> {job.error.message}</div>
            {Object.keys(job.error.details ?? {}).length > 0 && <JsonView value={job.error.details} maxHeight={160} />}
            {job.error.traceback && <details open><summary>{words.traceback}</summary><pre className="trace" tabIndex={0}>{job.error.traceback}</pre></details>}
          </section>
        )}
        <div className="span8 stack">
          <section className="card">
            <h2>{words.timeline}</h2>
            {job.progress && <div style={{ marginBottom: 8 }}><Bar share={job.progress.total > 0 ? job.progress.done / job.progress.total : 0} label={words.progress(job.progress.done, job.progress.total)} /><span className="dim num">{words.progress(job.progress.done, job.progress.total)}</span></div>}
            <Waterfall job={job} />
          </section>
          <section className="card"><h2>{words.arguments}</h2>{Object.keys(job.kwargs).length > 0 ? <JsonView value={job.kwargs} maxHeight={220} /> : <div className="dim">{words.runNoFields}</div>}</section>
        </div>
        <section className="card span4"><h2>{words.one}</h2><Facts job={job} /></section>
        <section className="card span12"><h2>{words.result}</h2>{job.result ? <JsonView value={job.result} maxHeight={420} /> : <div className="dim">{words.noResult}</div>}</section>
        <section className="card span12"><h2>{words.steps}</h2><Steps job={job} /></section>
      </div>
    </>
  );
}

function Facts({ job }: { job: Job }): ReactNode {
  const facts: [string, ReactNode, string?][] = [
    [words.id, <Group key="id" gap={6} wrap="nowrap"><span className="mono">{job.id}</span><ActionIcon size="xs" variant="subtle" onClick={() => void navigator.clipboard.writeText(job.id)} aria-label={words.copy}><IconCopy size={14} aria-hidden /></ActionIcon></Group>],
    [words.task, <HistoryLink key="task" filters={{ task: job.task }}>{job.task}</HistoryLink>],
    [words.queue, <HistoryLink key="queue" filters={{ queue: job.queue }}>{job.queue}</HistoryLink>],
    [words.worker, job.worker ? <HistoryLink key="worker" filters={{ worker: job.worker }}>{job.worker}</HistoryLink> : null],
    [words.actor, <HistoryLink key="actor" filters={{ actor: job.actor }}>{job.actor}</HistoryLink>],
    [words.schedule, job.schedule ? <HistoryLink key="schedule" filters={{ schedule: job.schedule }}>{job.schedule}</HistoryLink> : null],
    [words.planned, job.planned_at ? <Moment key="planned" at={job.planned_at} /> : null],
    [words.queued, <Moment key="queued" at={job.queued_at} />],
    [words.lateness, job.lateness == null ? null : duration(job.lateness)],
    [words.duration, job.duration == null ? null : duration(job.duration)],
    [words.attempts, job.attempts],
    [words.retries, job.retries],
    [words.redeliveries, job.redeliveries, words.redeliveriesTip],
    [words.lease, job.lease ? <RelativeTime key="lease" wall at={job.lease} /> : null, words.leaseTip],
    [words.expires, job.expires_at ? <Moment key="expires" at={job.expires_at} /> : null],
    [words.key, job.key ?? null],
    [words.retryOf, job.retry_of ? <JobLink key="of" id={job.retry_of}>{job.retry_of}</JobLink> : null],
  ];
  return (
    <dl className="facts">
      {facts.filter(([, value]) => value !== null && value !== undefined).map(([name, value, tip]) => <div key={name} title={tip}><dt>{name}</dt><dd className="num">{value ?? common.unknown}</dd></div>)}
    </dl>
  );
}
