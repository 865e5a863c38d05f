import { Button, Group, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { useJournal } from "./trades";
import { DataTable, type Column } from "@/components/DataTable";
import { JsonView } from "@/components/JsonView";
import { Money } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, journal as words } from "@/lib/strings";

type Day = Schemas["DayInShort"];
const p = words.parity;

const COLUMNS: readonly Column<Day>[] = [
  { key: "day", title: p.columns.day, width: "120px", value: ({ day }) => day, cell: ({ day }) => <b>{day}</b> },
  { key: "state", title: p.columns.state, width: "90px", value: ({ complete }) => (complete ? p.complete : p.running) },
  { key: "live", title: p.columns.live, right: true, value: ({ live_trades }) => live_trades },
  { key: "twin", title: p.columns.twin, right: true, value: ({ twin_trades }) => twin_trades },
  { key: "paired", title: p.columns.paired, right: true, value: ({ paired }) => paired },
  { key: "liveNet", title: p.columns.liveNet, right: true, value: ({ live_net }) => Number(live_net), cell: ({ live_net, currency }) => <Money value={Number(live_net)} currency={currency} /> },
  { key: "twinNet", title: p.columns.twinNet, right: true, value: ({ twin_net }) => Number(twin_net), cell: ({ twin_net, currency }) => <Money value={Number(twin_net)} currency={currency} /> },
  { key: "gap", title: p.columns.gap, right: true, value: ({ gap }) => Number(gap), cell: ({ gap, currency }) => <b><Money value={Number(gap)} currency={currency} /></b> },
];

/** Live days beside the same days as backtests, and why they differ. */
export function Parity(): ReactNode {
  const [{ day }, change] = useJournal();
  const query = useQuery({ queryKey: ["parity"], queryFn: () => take(api.GET("/api/parity")), refetchInterval: 15_000 });
  return (
    <>
      <p className="dim" style={{ marginTop: 0 }}>{p.about}</p>
      <Ask />
      <StateOf query={query} what={words.views.parity} height={200} isEmpty={({ days }) => days.length === 0} empty={p.none}>
        {({ days }) => (
          <DataTable label={words.views.parity} rows={days} columns={COLUMNS} id={(one) => one.day} height={Math.min(340, 36 + 30 * days.length)}
            onOpen={(one) => change({ day: one.day })} />
        )}
      </StateOf>
      {day && <OneDay day={day} />}
    </>
  );
}

function Ask(): ReactNode {
  const { trade } = useMay();
  const [day, setDay] = useState("");
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const ask = useWrite(() => take(api.POST("/api/parity", { body: day ? { day } : {} })), { nouns: ["parity", "tasks"], onFields: setWrong, done: () => setWrong({}) });
  if (!trade) return null;
  return (
    <Group component="form" align="end" gap={8} mb={12} onSubmit={(event) => {
      event.preventDefault();
      ask.mutate(undefined);
    }}>
      <TextInput size="xs" type="date" label={p.day} description={p.last} value={day} error={wrong["day"]} onChange={(event) => setDay(event.currentTarget.value)} />
      <Button size="xs" type="submit" variant="default" loading={ask.isPending}>{p.start}</Button>
      {ask.data && <span role="status">{p.queued} <Link to={`/tasks/${ask.data.task_id}`}>{ask.data.task_id.slice(0, 8)}</Link></span>}
    </Group>
  );
}

type Pair = Schemas["DayAudit"]["pairs"][number];

function OneDay({ day }: { day: string }): ReactNode {
  const query = useQuery({ queryKey: ["parity", day], queryFn: () => take(api.GET("/api/parity/{day}", { params: { path: { day } } })) });
  const columns: readonly Column<Pair>[] = [
    { key: "live", title: p.columns.live, value: (pair) => name(pair["live"]) ?? p.only.twin },
    { key: "twin", title: p.columns.twin, value: (pair) => name(pair["twin"]) ?? p.only.live },
    { key: "gap", title: p.columns.gap, right: true, value: (pair) => Number(pair["gap"]), cell: (pair) => <Money value={Number(pair["gap"])} /> },
    { key: "causes", title: p.causes, width: "2fr", value: (pair) => causes(pair["causes"]) },
  ];
  return (
    <StateOf query={query} what={day} height={200}>
      {(audit) => (
        <section className="card" style={{ marginTop: 16 }}>
          <h2>{day}</h2>
          {Object.entries(audit.causes).map(([cause, amount]) => (
            <div key={cause} className="row"><span className="what">{cause.replaceAll("_", " ")}</span><Money value={Number(amount)} currency={audit.currency} /></div>
          ))}
          {audit.notes.map((note) => <div key={note} className="row dim">{note}</div>)}
          <h2 style={{ marginTop: 12 }}>{p.pairs}</h2>
          {audit.pairs.length === 0 ? <div className="dim">{common.nothing}</div> : (
            <DataTable label={p.pairs} rows={audit.pairs} columns={columns} id={(pair) => JSON.stringify([pair["live"], pair["twin"]])} height={Math.min(340, 36 + 30 * audit.pairs.length)} />
          )}
          {audit.excluded.length > 0 && <><h2 style={{ marginTop: 12 }}>{p.excluded}</h2><JsonView value={audit.excluded} maxHeight={200} /></>}
        </section>
      )}
    </StateOf>
  );
}

function name(trade: unknown): string | null {
  if (trade === null || typeof trade !== "object") return null;
  const { symbol, side, net } = trade as Record<string, unknown>;
  return [symbol, side, net].filter((part) => typeof part === "string" || typeof part === "number").join(" ");
}

const causes = (value: unknown): string =>
  value !== null && typeof value === "object" ? Object.entries(value).filter(([, amount]) => Number(amount) !== 0).map(([cause, amount]) => `${cause.replaceAll("_", " ")} ${String(amount)}`).join(", ") : "";
