import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { HistoryLink, short } from "./parts";
import { DataTable, type Column } from "@/components/DataTable";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { duration } from "@/lib/format";
import { tasks as words } from "@/lib/strings";

type Row = Schemas["TaskSummary"];
const USUAL = "24h";
const FLOOR = 0.001;
const BAD = ["failed", "lost", "dead"] as const;

const total = ({ counts }: Row): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
const bad = ({ counts }: Row): number => BAD.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
const ok = ({ counts }: Row): number => counts["succeeded"] ?? 0;

export function Durations(): ReactNode {
  const [filters, change] = useFilters(["window"]);
  const window = filters.window || USUAL;
  const query = useQuery({
    queryKey: ["tasks-summary", window],
    queryFn: () => take(api.GET("/api/tasks/summary", { params: { query: { window } } })),
    refetchInterval: 15_000,
  });
  const slowest = Math.max(FLOOR * 10, ...(query.data?.tasks.map((row) => row.duration_p99 ?? 0) ?? []));
  const columns = useMemo((): readonly Column<Row>[] => [
    { key: "task", title: words.task, value: (row) => short(row.task), cell: (row) => <HistoryLink filters={{ task: row.task }}>{short(row.task)}</HistoryLink>, wide: true },
    { key: "jobs", title: words.jobs, value: total, width: "70px", right: true },
    { key: "ok", title: words.ok, value: ok, width: "90px", right: true },
    { key: "bad", title: words.bad, value: bad, width: "70px", right: true, cell: (row) => (bad(row) > 0 ? <span className="danger" title={words.badTip}><HistoryLink filters={{ task: row.task, status: BAD.find((state) => (row.counts[state] ?? 0) > 0) ?? "failed" }}>{bad(row)}</HistoryLink></span> : "0") },
    { key: "other", title: words.other, value: (row) => total(row) - ok(row) - bad(row), width: "60px", right: true, cell: (row) => <span title={Object.entries(row.counts).map(([state, count]) => `${state} ${count}`).join(", ")}>{total(row) - ok(row) - bad(row)}</span> },
    { key: "bars", title: words.bars, value: (row) => row.duration_p95, cell: (row) => <Bars row={row} slowest={slowest} />, width: "minmax(140px, 1.2fr)", wide: true },
    { key: "p50", title: "p50", value: (row) => row.duration_p50, cell: (row) => duration(row.duration_p50), width: "76px", right: true },
    { key: "p95", title: "p95", value: (row) => row.duration_p95, cell: (row) => duration(row.duration_p95), width: "76px", right: true },
    { key: "p99", title: "p99", value: (row) => row.duration_p99, cell: (row) => duration(row.duration_p99), width: "76px", right: true },
    { key: "late", title: `${words.lateness} p95`, value: (row) => row.lateness_p95, cell: (row) => duration(row.lateness_p95), width: "128px", right: true },
    { key: "success", title: words.lastOk, value: (row) => row.last_success_at, cell: (row) => <RelativeTime wall at={row.last_success_at} />, width: "122px", right: true },
    { key: "failure", title: words.lastBad, value: (row) => row.last_failure_at, cell: (row) => <RelativeTime wall at={row.last_failure_at} />, width: "110px", right: true },
  ], [slowest]);
  const pick = <SegmentedControl size="xs" aria-label={words.window} value={window} data={Object.entries(words.windows).map(([value, label]) => ({ value, label }))} onChange={(value) => change({ window: value === USUAL ? null : value })} />;
  return (
    <StateOf query={query} what={words.views.durations} height={300}>
      {({ tasks }) => (
        <>
          <DataTable label={words.views.durations} rows={tasks} columns={columns} id={(row) => row.task} height="auto" actions={pick} />
          {tasks.length === 0 && <p className="dim">{words.noSummary}</p>}
        </>
      )}
    </StateOf>
  );
}

/** p99, p95 and p50 over each other on one logarithmic scale. */
function Bars({ row, slowest }: { row: Row; slowest: number }): ReactNode {
  const share = (seconds: number | null): number => (seconds === null ? 0 : Math.max(0.02, Math.log(Math.max(FLOOR, seconds) / FLOOR) / Math.log(slowest / FLOOR)) * 100);
  if (row.duration_p50 === null) return <span className="dim">—</span>;
  return (
    <div className="percentiles" role="img" title={words.barsTip} aria-label={`p50 ${duration(row.duration_p50)}, p95 ${duration(row.duration_p95)}, p99 ${duration(row.duration_p99)}`}>
      <i style={{ width: `${share(row.duration_p99)}%` }} /><i style={{ width: `${share(row.duration_p95)}%` }} /><i style={{ width: `${share(row.duration_p50)}%` }} />
    </div>
  );
}
