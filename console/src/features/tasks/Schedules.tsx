import { Button, Group } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { EditSchedule } from "./EditSchedule";
import { NextTick } from "./NextTick";
import { HistoryLink, JobLink, short, StateWord } from "./parts";
import * as own from "./read";
import { ConfirmButton } from "@/components/ConfirmButton";
import { DataTable, type Column } from "@/components/DataTable";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { duration } from "@/lib/format";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, tasks as words } from "@/lib/strings";

type Row = Schemas["ScheduleView"];

export function Schedules(): ReactNode {
  const query = useQuery(own.schedules);
  const [{ schedule }, change] = useFilters(["schedule"]);
  const columns = useMemo((): readonly Column<Row>[] => [
    { key: "name", title: words.schedule, value: (row) => row.name, width: "minmax(170px, 1.2fr)", wide: true, cell: (row) => <><HistoryLink filters={{ schedule: row.name }}>{row.name}</HistoryLink> <Off row={row} /></> },
    { key: "when", title: words.when, value: (row) => row.schedule, width: "minmax(120px, 1fr)", cell: (row) => <span title={`${short(row.task)}, ${words.clock[row.clock] ?? row.clock}`}>{plain(row.schedule)}</span> },
    { key: "last", title: words.last, value: (row) => row.last_planned_at, width: "128px", cell: (row) => <RelativeTime wall={row.clock === "wall"} at={row.last_planned_at} /> },
    { key: "state", title: words.lastState, value: (row) => row.last_state, width: "122px", cell: (row) => (row.last_job_id ? <JobLink id={row.last_job_id}><StateWord state={row.last_state} /></JobLink> : common.unknown) },
    { key: "next", title: words.nextTick, value: (row) => row.next_planned_at, width: "120px", cell: (row) => <NextTick row={row} /> },
    { key: "spark", title: words.lateness, value: (row) => row.lateness_p95, width: "104px", cell: (row) => <Spark name={row.name} /> },
    { key: "p95", title: words.p95, value: (row) => row.lateness_p95, width: "96px", right: true, cell: (row) => duration(row.lateness_p95) },
    { key: "missed", title: words.missed, value: (row) => row.missed, width: "84px", right: true, cell: (row) => <span title={words.missedTip} className={row.missed > 0 ? "warn" : ""}>{row.missed > 0 ? <HistoryLink filters={{ schedule: row.name, status: "missed" }}>{row.missed}</HistoryLink> : 0}</span> },
    { key: "skipped", title: words.skipped, value: (row) => row.skipped, width: "88px", right: true, cell: (row) => <span title={words.skippedTip}>{row.skipped}</span> },
    { key: "act", title: "", value: () => null, width: "268px", right: true, wide: true, cell: (row) => <Act row={row} edit={() => change({ schedule: row.name })} /> },
  ], [change]);
  return (
    <StateOf query={query} what={words.views.schedules} height={400}>
      {({ schedules }) => (
        <>
          <DataTable label={words.views.schedules} rows={schedules} columns={columns} id={(row) => row.name} height="auto" />
          {schedule && schedules.some(({ name }) => name === schedule) && <EditSchedule name={schedule} close={() => change({ schedule: null })} />}
        </>
      )}
    </StateOf>
  );
}

/** `crontab(hour="4", minute="0")` without what stands around it. */
const plain = (when: string): string => when.replace(/^crontab\((.*)\)$/, "$1").replaceAll('"', "");

function Off({ row }: { row: Row }): ReactNode {
  if (row.paused) return <span className="warn">{words.paused(row.paused_by ?? common.notKnown)}</span>;
  return row.enabled ? null : <span className="dim">{words.off}</span>;
}

const [WIDTH, HEIGHT] = [84, 20];

/** Lateness of the last jobs as thin bars, on a scale of at least one second. */
function Spark({ name }: { name: string }): ReactNode {
  const { data } = useQuery(own.lateness(name));
  if (!data || data.length === 0) return <span className="dim small">{data ? words.noLateness : ""}</span>;
  const most = Math.max(1, ...data);
  const step = WIDTH / own.JOBS_OF_A_SCHEDULE;
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={`${words.latenessOf(data.length)}: ${data.map((value) => duration(value)).join(", ")}`} className="spark">
      <title>{words.latenessOf(data.length)}</title>
      <line x1={0} x2={WIDTH} y1={HEIGHT - HEIGHT / most} y2={HEIGHT - HEIGHT / most} />
      {data.map((value, index) => {
        const tall = Math.max(1, (value / most) * HEIGHT);
        return <rect key={index} className={value > 1 ? "late" : ""} x={index * step} width={Math.max(1, step - 1)} y={HEIGHT - tall} height={tall} />;
      })}
    </svg>
  );
}

function Act({ row, edit }: { row: Row; edit: () => void }): ReactNode {
  const may = useMay();
  const at = { params: { path: { name: row.name } } };
  const say = (text: string) => (): void => {
    notifications.show({ message: text });
  };
  const nouns = ["schedules", "tasks", "queues"];
  const pause = useWrite(() => take(api.POST("/api/schedules/{name}/pause", at)), { nouns, done: say(words.pausedNow(row.name)) });
  const resume = useWrite(() => take(api.POST("/api/schedules/{name}/resume", at)), { nouns, done: say(words.resumed(row.name)) });
  const trigger = useWrite(() => take(api.POST("/api/schedules/{name}/trigger", at)), { nouns, done: say(words.triggered(row.name)) });
  const look = { size: "compact-xs", variant: "default" } as const;
  return (
    <Group gap={4} justify="end" wrap="nowrap">
      {may.trade && <ConfirmButton {...look} action={words.trigger.toLowerCase()} loading={trigger.isPending} onConfirm={() => trigger.mutate(undefined)}>{words.trigger}</ConfirmButton>}
      {may.own && (row.paused
        ? <Button {...look} loading={resume.isPending} onClick={() => resume.mutate(undefined)} aria-label={`${words.resume} ${row.name}`}>{words.resume}</Button>
        : <Button {...look} loading={pause.isPending} onClick={() => pause.mutate(undefined)} aria-label={`${words.pause} ${row.name}`}>{words.pause}</Button>)}
      {may.own && <Button {...look} onClick={edit} aria-label={`${words.edit} ${row.name}`}>{words.edit}</Button>}
    </Group>
  );
}
