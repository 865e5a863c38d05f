import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Actions } from "./Actions";
import { JobLink, line, short, type Job } from "./parts";
import * as own from "./read";
import { DataTable, type Column } from "@/components/DataTable";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { tasks as words } from "@/lib/strings";

const COLUMNS: readonly Column<Job>[] = [
  { key: "task", title: words.task, value: (job) => short(job.task), cell: (job) => <JobLink id={job.id}>{short(job.task)}</JobLink>, wide: true },
  { key: "arguments", title: words.arguments, value: (job) => line(job.kwargs), wide: true },
  { key: "redeliveries", title: words.redeliveries, value: (job) => job.redeliveries, width: "110px", right: true },
  { key: "worker", title: words.worker, value: (job) => job.worker ?? null, width: "150px" },
  { key: "why", title: words.why, value: (job) => job.error?.message ?? null, width: "minmax(160px, 2fr)", wide: true },
  { key: "at", title: words.queued, value: (job) => job.queued_at, cell: (job) => <RelativeTime wall at={job.queued_at} />, width: "110px", right: true },
  { key: "act", title: "", value: () => null, cell: (job) => <Actions job={job} />, width: "170px", right: true },
];

export function DeadLetters(): ReactNode {
  const query = useQuery(own.dead);
  const navigate = useNavigate();
  return (
    <StateOf query={query} what={words.dead} isEmpty={({ items }) => items.length === 0} empty={words.noDead} height={200}>
      {({ items }) => <DataTable label={words.dead} rows={items} columns={COLUMNS} id={(job) => job.id} onOpen={(job) => void navigate({ to: "/tasks/$id", params: { id: job.id } })} />}
    </StateOf>
  );
}
