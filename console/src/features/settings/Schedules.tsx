import { Button, Group, Modal, NumberInput, SegmentedControl, Select, Stack, Switch, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import { CONFLICT, ConflictNote, Head, LastChange, ReadOnlyNote, tagged, useLastChanges, useWrong, type Tagged } from "./shared";
import { ConfirmButton } from "@/components/ConfirmButton";
import { DataTable, type Column } from "@/components/DataTable";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { duration } from "@/lib/format";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, settings } from "@/lib/strings";

const words = settings.schedules;
const NOUNS = ["schedules", "settings", "status"];
const FIELDS = ["minute", "hour", "day_of_month", "month_of_year", "day_of_week"] as const;
type Row = Schemas["ScheduleView"];
type Timing = Schemas["Timing"];

const said = ({ crontab, every, offset }: Timing): string =>
  every === null ? FIELDS.map((name) => crontab?.[name] ?? "*").join(" ") : words.everySeconds(duration(every)) + (offset ? ` + ${duration(offset)}` : "");

/** When recurring work is done, and changing it. */
export function Schedules(): ReactNode {
  const query = useQuery({ queryKey: ["schedules"], queryFn: () => take(api.GET("/api/schedules")), refetchInterval: 10_000 });
  const [name, setName] = useState<string | null>(null);
  const columns = useMemo((): Column<Row>[] => [
    { key: "name", title: words.name, width: "minmax(150px, 1.3fr)", value: (row) => row.name, cell: (row) => <b>{row.name}</b> },
    { key: "when", title: words.when, width: "minmax(170px, 1.5fr)", value: ({ schedule }) => schedule, cell: ({ schedule }) => <span title={schedule}>{schedule}</span>, wide: true },
    { key: "enabled", title: words.enabled, width: "70px", value: ({ enabled, paused }) => (paused ? "paused" : enabled ? settings.yes : settings.no), cell: ({ enabled, paused }) => <span className={paused ? "warn" : enabled ? "up" : "dim"}>{paused ? "paused" : enabled ? settings.yes : settings.no}</span> },
    { key: "next", title: words.next, width: "104px", value: ({ next_planned_at }) => next_planned_at, cell: ({ next_planned_at, clock }) => <RelativeTime at={next_planned_at} wall={clock === "wall"} /> },
    { key: "last", title: words.last, width: "104px", value: ({ last_planned_at }) => last_planned_at, cell: ({ last_planned_at, clock }) => <RelativeTime at={last_planned_at} wall={clock === "wall"} /> },
    { key: "late", title: words.lateness, width: "92px", right: true, value: ({ lateness_p95 }) => lateness_p95, cell: ({ lateness_p95 }) => duration(lateness_p95) },
    { key: "clock", title: words.clock, width: "64px", value: ({ clock }) => clock },
  ], []);
  return (
    <>
      <Head title={settings.sections.schedules} about={words.about} />
      <ReadOnlyNote />
      <StateOf query={query} what={settings.sections.schedules} height={300}>
        {({ schedules }) => (
          <DataTable label={settings.sections.schedules} rows={schedules} columns={columns} id={(row) => row.name} height={Math.min(560, 40 + 30 * schedules.length)} onOpen={(row) => setName(row.name)} />
        )}
      </StateOf>
      <Modal opened={name !== null} onClose={() => setName(null)} title={name ? `${words.edit}: ${name}` : words.edit}>{name !== null && <Definition name={name} done={() => setName(null)} />}</Modal>
    </>
  );
}

function Definition({ name, done }: { name: string; done: () => void }): ReactNode {
  const query = useQuery({ queryKey: ["schedules", name], queryFn: () => tagged(api.GET("/api/schedules/{name}", { params: { path: { name } } })) });
  return <StateOf query={query} what={name} height={300}>{(read) => <Form read={read} done={done} />}</StateOf>;
}

function Form({ read, done }: { read: Tagged<Schemas["Definition"]>; done: () => void }): ReactNode {
  const { own } = useMay();
  const { name, now, default: usual } = read.data;
  const [kind, setKind] = useState(now.every === null ? "crontab" : "every");
  const [cron, setCron] = useState<Record<string, string>>({ ...Object.fromEntries(FIELDS.map((field) => [field, "*"])), ...(now.crontab ?? {}) });
  const [body, setBody] = useState({ every: now.every ?? 3600, offset: now.offset ?? 0, enabled: now.enabled, overlap: now.overlap, catch_up: now.catch_up, at_start: now.at_start });
  const wrong = useWrong(["crontab", "every", "offset", "enabled", "overlap", "catch_up", "at_start"]);
  const last = useLastChanges("config/schedules.json").get(name);
  const params = { path: { name }, header: { "If-Match": read.etag } };
  const { every, offset, enabled, overlap, catch_up, at_start } = body;
  const timing = kind === "every" ? { every, offset } : { crontab: cron };
  const save = useWrite(() => take(api.PATCH("/api/schedules/{name}", { params, body: { ...timing, enabled, overlap, at_start, catch_up } })), { nouns: NOUNS, shown: CONFLICT, onFields: wrong.set, done });
  const reset = useWrite(() => take(api.POST("/api/schedules/{name}/reset", { params })), { nouns: NOUNS, shown: CONFLICT, done });
  return (
    <Stack component="form" gap={8} onSubmit={(event) => {
      event.preventDefault();
      save.mutate(undefined);
    }}>
      <LastChange change={last} />
      <SegmentedControl size="xs" aria-label={words.kind} disabled={!own} value={kind} onChange={setKind} data={[{ value: "every", label: words.every }, { value: "crontab", label: words.crontab }]} />
      {kind === "every" ? (
        <Group grow align="start">
          <NumberInput label={words.seconds} hideControls clampBehavior="none" readOnly={!own} value={body.every} error={wrong.of("every")} onChange={(value) => setBody({ ...body, every: Number(value) })} />
          <NumberInput label={words.offset} hideControls clampBehavior="none" readOnly={!own} value={body.offset} error={wrong.of("offset")} onChange={(value) => setBody({ ...body, offset: Number(value) })} />
        </Group>
      ) : (
        <>
          <div style={{ display: "grid", gridTemplateColumns: "repeat(auto-fit, minmax(76px, 1fr))", gap: 6 }}>
            {FIELDS.map((field) => <TextInput key={field} size="xs" label={words.cron[field]} readOnly={!own} value={cron[field] ?? "*"} onChange={(event) => setCron({ ...cron, [field]: event.currentTarget.value })} />)}
          </div>
          <div className={wrong.of("crontab") ? "danger" : "dim"} role={wrong.of("crontab") ? "alert" : undefined}>{wrong.of("crontab") ?? words.utc}</div>
        </>
      )}
      <Select label={words.overlap} readOnly={!own} allowDeselect={false} data={Object.entries(words.overlaps).map(([value, label]) => ({ value, label }))} value={body.overlap} error={wrong.of("overlap")} onChange={(value) => value && setBody({ ...body, overlap: value })} />
      <NumberInput label={words.catchUp} hideControls clampBehavior="none" readOnly={!own} value={body.catch_up ?? ""} error={wrong.of("catch_up")} onChange={(value) => setBody({ ...body, catch_up: value === "" ? null : Number(value) })} />
      <Switch label={words.atStart} disabled={!own} checked={body.at_start} onChange={(event) => setBody({ ...body, at_start: event.currentTarget.checked })} />
      <Switch label={words.enabled} disabled={!own} checked={body.enabled} onChange={(event) => setBody({ ...body, enabled: event.currentTarget.checked })} />
      {usual && <div className="dim">{words.default}: {said(usual)}</div>}
      {wrong.rest}
      <ConflictNote error={save.error ?? reset.error} />
      {own && (
        <Group justify="space-between">
          <ConfirmButton size="xs" action={words.resetAction} onConfirm={() => reset.mutate(undefined)}>{words.reset}</ConfirmButton>
          <Group gap={8}><Button size="xs" variant="default" onClick={done}>{common.cancel}</Button><Button size="xs" type="submit" loading={save.isPending}>{settings.save}</Button></Group>
        </Group>
      )}
    </Stack>
  );
}
