import { Button, Group, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useCallback, type ReactNode } from "react";
import { JobLink, line, short, StateWord, type Job, type State } from "./parts";
import * as own from "./read";
import { DataTable, type Column } from "@/components/DataTable";
import { FilterText } from "@/components/FilterText";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { duration } from "@/lib/format";
import { useLog } from "@/lib/log";
import { tasks as words } from "@/lib/strings";

const FILTERS = ["task", "status", "queue", "worker", "schedule", "actor", "since", "until"] as const;
const PAGE = 200;

const COLUMNS: readonly Column<Job>[] = [
  { key: "queued", title: words.queued, value: (job) => job.queued_at, cell: (job) => <RelativeTime wall at={job.queued_at} />, width: "132px" },
  { key: "task", title: words.task, value: (job) => short(job.task), cell: (job) => <JobLink id={job.id}>{short(job.task)}</JobLink>, width: "minmax(150px, 1.4fr)" },
  { key: "state", title: words.filter.state, value: (job) => job.state, cell: (job) => <StateWord state={job.state} />, width: "112px" },
  { key: "duration", title: words.duration, value: (job) => job.duration ?? null, cell: (job) => duration(job.duration), width: "90px", right: true },
  { key: "lateness", title: words.lateness, value: (job) => job.lateness ?? null, cell: (job) => duration(job.lateness), width: "90px", right: true },
  { key: "arguments", title: words.arguments, value: (job) => line(job.kwargs), cell: (job) => <span className="dim">{line(job.kwargs)}</span>, width: "minmax(110px, 1fr)" },
  { key: "by", title: words.actor, value: (job) => job.schedule ?? job.actor, width: "170px" },
  { key: "worker", title: words.worker, value: (job) => job.worker ?? null, width: "110px" },
  { key: "why", title: words.why, value: (job) => job.error?.message ?? null, cell: (job) => <span className="dim" title={job.error?.message}>{job.error?.message}</span>, wide: true },
];

const rows = (page: Schemas["JobPage"]): readonly Job[] => page.items;
const id = (job: Job): string => job.id;
/** What a field for UTC says, as an instant; nothing where it is not filled. */
const instant = (text: string): string | null => (text ? `${text}${text.length === 16 ? ":00" : ""}Z` : null);

export function History(): ReactNode {
  const [filters, change] = useFilters(FILTERS);
  const navigate = useNavigate();
  const { data: queues } = useQuery(own.queues);
  const { data: workers } = useQuery(own.workers);
  const { data: plans } = useQuery(own.schedules);
  const { task, status, queue, worker, schedule, actor, since, until } = filters;
  const page = useCallback(
    (cursor: string | undefined) => {
      const query = {
        limit: PAGE, ...(cursor ? { cursor } : {}), ...(task ? { task } : {}), ...(status ? { status: status as State } : {}), ...(queue ? { queue } : {}), ...(worker ? { worker } : {}),
        ...(schedule ? { schedule } : {}), ...(actor ? { actor } : {}), since: instant(since), until: instant(until),
      };
      return take(api.GET("/api/tasks", { params: { query } }));
    },
    [task, status, queue, worker, schedule, actor, since, until],
  );
  const log = useLog({ noun: "tasks", filters: Object.values(filters), page, rows, id, every: 10_000 });
  const pick = (name: (typeof FILTERS)[number], label: string, data: readonly { value: string; label: string }[]): ReactNode => (
    <Select
      size="xs" w={150} label={label} placeholder={words.filter.all} clearable searchable data={[...data]} value={filters[name] || null}
      onChange={(value) => change({ [name]: value })}
    />
  );
  const plain = (names: readonly string[] | undefined): { value: string; label: string }[] => (names ?? []).map((value) => ({ value, label: value }));
  const given = (name: "worker", names: string[]): string[] => (filters[name] && !names.includes(filters[name]) ? [...names, filters[name]] : names);
  const any = FILTERS.some((name) => filters[name] !== "");
  return (
    <>
      <Group gap={8} align="end" mb={10} className="filters">
        <FilterText label={words.filter.task} value={task} onChange={(value) => change({ task: value })} width={170} search />
        {pick("status", words.filter.state, Object.entries(words.state).map(([value, label]) => ({ value, label })))}
        {pick("queue", words.filter.queue, plain(queues?.queues.map(({ name }) => name)))}
        {pick("worker", words.filter.worker, plain(given("worker", workers?.workers.map(({ name }) => name) ?? [])))}
        {pick("schedule", words.filter.schedule, plain(plans?.schedules.map(({ name }) => name)))}
        <FilterText label={words.filter.actor} value={actor} onChange={(value) => change({ actor: value })} width={110} />
        <TextInput size="xs" type="datetime-local" label={words.filter.since} value={since} onChange={(event) => change({ since: event.currentTarget.value })} />
        <TextInput size="xs" type="datetime-local" label={words.filter.until} value={until} onChange={(event) => change({ until: event.currentTarget.value })} />
        {any && <Button size="xs" variant="subtle" onClick={() => change(Object.fromEntries(FILTERS.map((name) => [name, null])))}>{words.filter.clear}</Button>}
      </Group>
      <StateOf query={log.head} what={words.views.history} height={400} isEmpty={({ items }) => items.length === 0 && log.rows.length === 0 && log.all} empty={any ? words.noHistory : words.noHistoryYet}>
        {() => (
          <DataTable
            label={words.views.history} rows={log.rows} columns={COLUMNS} id={id} height="calc(100vh - 320px)" onEnd={log.more}
            onOpen={(job) => void navigate({ to: "/tasks/$id", params: { id: job.id } })}
          />
        )}
      </StateOf>
    </>
  );
}
