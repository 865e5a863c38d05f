import { Button, Group, Modal, Stack, Switch, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState, type ReactNode } from "react";
import { CONFLICT, ConflictNote, Head, ReadOnlyNote, tagged, useWrong } from "./shared";
import { DataTable, type Column } from "@/components/DataTable";
import { JsonView } from "@/components/JsonView";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, settings } from "@/lib/strings";

const words = settings.symbols;
const NOUNS = ["symbols", "market", "settings"];
type Row = Schemas["Watched"];
const spec = (row: Row, name: string): string | number | null => {
  const value = row.specification?.[name];
  return typeof value === "string" || typeof value === "number" ? value : null;
};

/** The symbols that the desk watches. */
export function Symbols(): ReactNode {
  const { own } = useMay();
  const query = useQuery({ queryKey: ["symbols"], queryFn: () => tagged(api.GET("/api/symbols")) });
  const [edited, setEdited] = useState<Row | "new" | null>(null);
  const columns = useMemo((): Column<Row>[] => [
    { key: "canonical", title: words.canonical, width: "100px", value: ({ canonical }) => canonical, cell: ({ canonical }) => <Link to={`/market/${encodeURIComponent(canonical)}`} onClick={(event) => event.stopPropagation()}><b>{canonical}</b></Link> },
    { key: "broker", title: words.broker, width: "110px", value: ({ broker_symbol }) => broker_symbol },
    { key: "enabled", title: words.watched, width: "84px", value: ({ enabled }) => (enabled ? settings.yes : settings.no), cell: ({ enabled }) => <span className={enabled ? "up" : "dim"}>{enabled ? `● ${settings.yes}` : `○ ${settings.no}`}</span> },
    { key: "min", title: words.min, width: "90px", right: true, value: ({ min_vol }) => min_vol },
    { key: "step", title: words.step, width: "96px", right: true, value: ({ vol_step }) => vol_step },
    { key: "digits", title: words.digits, width: "64px", right: true, value: (row) => spec(row, "digits"), cell: (row) => <span title={row.why_none ?? ""}>{spec(row, "digits") ?? common.unknown}</span> },
    { key: "contract", title: words.contract, width: "90px", right: true, value: (row) => spec(row, "contract_size"), cell: (row) => <span title={row.why_none ?? ""}>{spec(row, "contract_size") ?? common.unknown}</span> },
    { key: "stated", title: words.stated, width: "110px", value: ({ stated_at }) => stated_at, cell: ({ stated_at, why_none }) => (stated_at ? <RelativeTime at={stated_at} /> : <span className="dim" title={why_none ?? ""}>{common.unknown}</span>) },
    { key: "comment", title: words.comment, value: ({ comment }) => comment, wide: true },
  ], []);
  return (
    <>
      <Head title={settings.sections.symbols} about={words.about}>{own && <Button size="xs" onClick={() => setEdited("new")}>{words.add}</Button>}</Head>
      <ReadOnlyNote />
      <StateOf query={query} what={settings.sections.symbols} height={300}>
        {({ data, etag }) => (
          <>
            {data.problems.map((problem) => <div key={problem.line} className="warn">{words.problems}: {words.line} {problem.line}, {problem.key}: {problem.reason}</div>)}
            <DataTable label={settings.sections.symbols} rows={data.symbols} columns={columns} id={({ canonical }) => canonical} height={Math.min(560, 40 + 30 * data.symbols.length)} onOpen={setEdited} />
            <Modal opened={edited !== null} onClose={() => setEdited(null)} title={edited === "new" ? words.add : words.edit}>
              {edited !== null && <Form row={edited === "new" ? null : edited} etag={etag} done={() => setEdited(null)} />}
            </Modal>
          </>
        )}
      </StateOf>
    </>
  );
}

function Form({ row, etag, done }: { row: Row | null; etag: string; done: () => void }): ReactNode {
  const { own } = useMay();
  const [canonical, setCanonical] = useState("");
  const [body, setBody] = useState({ broker_symbol: row?.broker_symbol ?? "", enabled: row?.enabled ?? true, min_vol: row?.min_vol ?? "", vol_step: row?.vol_step ?? "", comment: row?.comment ?? "" });
  const wrong = useWrong(["canonical", "broker_symbol", "enabled", "min_vol", "vol_step", "comment"]);
  const header = { "If-Match": etag };
  const said = { ...body, min_vol: body.min_vol || null, vol_step: body.vol_step || null };
  const save = useWrite(
    () => take(row ? api.PATCH("/api/symbols/{symbol}", { params: { path: { symbol: row.canonical }, header }, body: said }) : api.POST("/api/symbols", { params: { header }, body: { canonical, ...said } })),
    { nouns: NOUNS, shown: CONFLICT, onFields: wrong.set, done },
  );
  const text = (name: "broker_symbol" | "min_vol" | "vol_step" | "comment", label: string, description = ""): ReactNode => (
    <TextInput label={label} {...(description ? { description } : {})} readOnly={!own} value={body[name]} error={wrong.of(name)} onChange={(event) => setBody({ ...body, [name]: event.currentTarget.value })} />
  );
  return (
    <Stack component="form" gap={8} onSubmit={(event) => {
      event.preventDefault();
      save.mutate(undefined);
    }}>
      {row ? <b>{row.canonical}</b> : <TextInput label={words.canonical} required data-autofocus value={canonical} error={wrong.of("canonical")} onChange={(event) => setCanonical(event.currentTarget.value)} />}
      {text("broker_symbol", words.broker)}
      <Switch label={words.watched} checked={body.enabled} disabled={!own} onChange={(event) => setBody({ ...body, enabled: event.currentTarget.checked })} />
      <Group grow align="start">{text("min_vol", words.min, words.minHint)}{text("vol_step", words.step, words.minHint)}</Group>
      {text("comment", words.comment)}
      {row && (row.specification ? <><div className="dim">{words.specification}</div><JsonView value={row.specification} maxHeight={180} /></> : <div className="dim">{row.why_none}</div>)}
      {wrong.rest}
      <ConflictNote error={save.error} />
      {own && <Group justify="flex-end"><Button variant="default" onClick={done}>{common.cancel}</Button><Button type="submit" loading={save.isPending}>{settings.save}</Button></Group>}
    </Stack>
  );
}
