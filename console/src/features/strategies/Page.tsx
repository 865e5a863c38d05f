import { Button, Group, Modal, SegmentedControl, Select, Switch, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { useSwitch } from "./switch";
import { DataTable, type Column } from "@/components/DataTable";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import * as read from "@/lib/queries";
import { common, strategies as words } from "@/lib/strings";

type Row = { id: string; name: string; enabled: boolean; symbol: string | null; symbols: string[]; timeframe: string; strategy: { direction: string }; updated_at: string | null; created_by: string | null };

export function Page(): ReactNode {
  const [filters, change] = useFilters(["text", "symbol", "state"]);
  const { data: status } = useQuery(read.status);
  const navigate = useNavigate();
  const { trade } = useMay();
  const [making, make] = useDisclosure(false);
  const [copied, setCopied] = useState<string | null>(null);
  const { text, symbol, state } = filters;
  const query = useQuery({
    queryKey: ["strategies", "list", text, symbol, state],
    placeholderData: (before) => before,
    queryFn: () => take(api.GET("/api/strategies", { params: { query: { limit: 500, ...(text ? { text } : {}), ...(symbol ? { symbol } : {}), ...(state ? { enabled: state === "on" } : {}) } } })),
  });
  const toggle = useSwitch();
  const open = (id: string): void => void navigate({ to: "/strategies/$id", params: { id } });
  const columns: Column<Row>[] = [
    { key: "id", title: words.id, value: ({ id }) => id, cell: ({ id }) => <Link to="/strategies/$id" params={{ id }}>{id}</Link>, width: "minmax(170px, 1.2fr)" },
    { key: "name", title: words.name, value: ({ name }) => name, width: "minmax(120px, 1.6fr)" },
    { key: "symbol", title: words.symbol, value: (one) => [one.symbol, ...one.symbols].filter(Boolean).join(", "), width: "110px" },
    { key: "timeframe", title: words.timeframe, value: ({ timeframe }) => timeframe, width: "100px" },
    { key: "direction", title: words.direction, value: ({ strategy }) => strategy.direction, width: "100px" },
    { key: "updated", title: words.updated, value: ({ updated_at }) => updated_at, cell: ({ updated_at }) => <RelativeTime at={updated_at} wall />, width: "130px" },
    {
      key: "on", title: words.on, value: ({ enabled }) => (enabled ? "on" : "off"), width: "76px",
      cell: ({ id, enabled }) => <span onClick={(event) => event.stopPropagation()}><Switch size="xs" aria-label={words.toggle(id)} disabled={!trade} checked={enabled} onChange={({ currentTarget }) => toggle.mutate({ id, enabled: currentTarget.checked })} /></span>,
    },
    {
      key: "copy", title: "", value: () => null, width: "110px",
      cell: ({ id }) => trade && <Button size="compact-xs" variant="default" onClick={(event) => { event.stopPropagation(); setCopied(id); }}>{words.copy}</Button>,
    },
  ];
  return (
    <>
      <Group justify="space-between" mb={8}>
        <h1 className="pagetitle" style={{ margin: 0 }}>{words.title}</h1>
        {trade && <Button size="xs" onClick={make.open}>{words.create}</Button>}
      </Group>
      <div className="marketbar">
        <TextInput size="xs" type="search" aria-label={words.text} placeholder={words.text} w={240} value={text} onChange={({ currentTarget }) => change({ text: currentTarget.value })} />
        <Select size="xs" w={130} aria-label={words.symbol} placeholder={words.symbol} clearable searchable data={status?.symbols ?? []} value={symbol || null} onChange={(value) => change({ symbol: value })} />
        <SegmentedControl size="xs" aria-label={words.state} value={state || "all"} data={(["all", "on", "off"] as const).map((value) => ({ value, label: words.states[value] }))} onChange={(value) => change({ state: value === "all" ? null : value })} />
      </div>
      <StateOf query={query} what={words.list} height={300}>
        {(data) => (
          <>
            {data.problems.length > 0 && (
              <section className="card" style={{ marginBottom: 8 }}>
                <h2>{words.problems}</h2>
                {data.problems.map((one) => <div key={one.file + one.pointer + one.reason} className="row"><span className="what"><b>{one.file}</b> <code>{one.pointer}</code> <span className="warn">{one.reason}</span></span></div>)}
              </section>
            )}
            {data.strategies.length === 0 ? <div className="dim">{words.empty}</div> : <DataTable label={words.list} rows={data.strategies as unknown as Row[]} columns={columns} id={({ id }) => id} onOpen={({ id }) => open(id)} />}
          </>
        )}
      </StateOf>
      {copied && <Named key={copied} title={`${words.copy}: ${copied}`} label={words.copyId} start={`${copied}_COPY`} close={() => setCopied(null)} opened={open} write={(id) => take(api.POST("/api/strategies/{strategy_id}/duplicate", { params: { path: { strategy_id: copied } }, body: { id, enabled: false } }))} />}
      {making && <Named title={words.create} label={words.newId} hint={words.createHint} start="" close={make.close} opened={open} write={(id) => take(api.POST("/api/strategies", { body: blank(id, status?.symbols[0] ?? "EURUSD") }))} />}
    </>
  );
}

const blank = (id: string, symbol: string) =>
  ({ id, name: id, enabled: false, symbol, timeframe: "H1", conditions: { entry: ["ema_fast_gt_slow"] }, strategy: { direction: "long" } }) as Schemas["Strategy"];

function Named(props: { title: string; label: string; hint?: string; start: string; close: () => void; opened: (id: string) => void; write: (id: string) => Promise<Schemas["SavedStrategy"]> }): ReactNode {
  const { title, label, hint, start, close, opened, write } = props;
  const [id, setId] = useState(start);
  const [error, setError] = useState<string | null>(null);
  const save = useWrite(write, {
    nouns: ["strategies"],
    done: (saved) => {
      close();
      opened(saved.id);
    },
    onFields: (fields) => setError(Object.values(fields).join("; ")),
  });
  return (
    <Modal opened onClose={close} title={title}>
      <form onSubmit={(event) => { event.preventDefault(); save.mutate(id); }}>
        <TextInput data-autofocus label={label} description={hint} value={id} error={error} onChange={({ currentTarget }) => setId(currentTarget.value)} />
        <Group mt={12} justify="end"><Button variant="default" onClick={close}>{common.cancel}</Button><Button type="submit" loading={save.isPending} disabled={id === ""}>{words.save}</Button></Group>
      </form>
    </Modal>
  );
}
