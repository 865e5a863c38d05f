import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useCallback, type ReactNode } from "react";
import { Filters, useWanted } from "./Filters";
import { fixedScore } from "./score";
import { of, plain, sentence, type Row } from "./shapes";
import { WhyNot } from "./WhyNot";
import { DataTable, type Column } from "@/components/DataTable";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { clock } from "@/lib/format";
import { useLog } from "@/lib/log";
import { common, decisions as words } from "@/lib/strings";

/** What the desk decided and why, by bar; and what refused most. */
export function Page(): ReactNode {
  const [{ view }, change] = useFilters(["view"]);
  const shown = view === "why-not" ? "why-not" : "river";
  return (
    <>
      <h1 className="away">{words.title}</h1>
      <Filters />
      <Tabs value={shown} onChange={(to) => change({ view: to === "river" ? null : to })} keepMounted={false}>
        <Tabs.List aria-label={words.views} mb={10}>
          <Tabs.Tab value="river">{words.river}</Tabs.Tab>
          <Tabs.Tab value="why-not">{words.whyNot}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="river"><River /></Tabs.Panel>
        <Tabs.Panel value="why-not"><WhyNot /></Tabs.Panel>
      </Tabs>
    </>
  );
}

const PAGE = 500;
const rowsOf = ({ items }: Schemas["DecisionPage"]): readonly Row[] => items;
const idOf = (row: Row): string => String(row.seq);

const COLUMNS: readonly Column<Row>[] = [
  { key: "at", title: words.at, wide: true, width: "140px", value: (row) => of(row).bar_close, cell: (row) => <time className="num dim" dateTime={of(row).bar_close} title="UTC">{clock(Date.parse(of(row).bar_close), 0, { seconds: false })}</time> },
  { key: "symbol", title: words.symbol, width: "124px", value: (row) => `${of(row).symbol} ${of(row).timeframe}`, cell: (row) => <b>{of(row).symbol} {of(row).timeframe}</b> },
  {
    key: "said", title: words.said, wide: true, width: "minmax(240px, 4fr)", value: (row) => sentence(of(row)),
    cell: (row) => {
      const made = of(row);
      return <Link to={`/decisions/${row.id ?? ""}`} title={sentence(made)} style={{ color: "inherit", textDecoration: "none" }}><Said text={sentence(made)} signal={made.signal} /></Link>;
    },
  },
  { key: "strategy", title: words.strategy, wide: true, width: "208px", value: (row) => of(row).strategy_id, cell: (row) => <Link to={`/strategies/${of(row).strategy_id}`}>{of(row).strategy_id}</Link> },
  { key: "action", title: words.action, width: "112px", value: (row) => plain(of(row).action) },
  { key: "checks", title: words.checks, wide: true, width: "minmax(120px, 1fr)", value: (row) => of(row).refusals.map(({ check }) => plain(check)).join(", ") },
  { key: "score", title: words.score, width: "70px", right: true, value: (row) => of(row).confidence?.score ?? null, cell: (row) => <span title={words.scoreTip}>{fixedScore(of(row).confidence?.score ?? null)}</span> },
  { key: "idea", title: words.ideaColumn, width: "70px", value: (row) => of(row).idea_id ?? "", cell: (row) => (of(row).idea_id ? <Link to={`/ideas/${String(of(row).idea_id)}`}>{words.ideaColumn}</Link> : common.unknown) },
];

function Said({ text, signal }: { text: string; signal: string | null }): ReactNode {
  const end = text.indexOf(";");
  const head = end < 0 ? text : text.slice(0, end);
  const look = signal === "long" ? "up" : signal === "short" ? "down" : "";
  return <><span className={look}>{signal === "long" ? "▲ " : signal === "short" ? "▼ " : ""}{head}</span><span className="dim">{end < 0 ? "" : text.slice(end)}</span></>;
}

function River(): ReactNode {
  const { query } = useWanted();
  const navigate = useNavigate();
  const key = JSON.stringify(query);
  const { head, rows, more } = useLog({
    noun: "decisions", filters: [key], every: 30_000, rows: rowsOf, id: idOf,
    page: (cursor) => take(api.GET("/api/decisions", { params: { query: { ...query, limit: PAGE, ...(cursor && { cursor }) } } })),
  });
  const stats = useQuery({ queryKey: ["decisions", "stats", key], queryFn: () => take(api.GET("/api/decisions/stats", { params: { query } })), placeholderData: (before) => before });
  const open = useCallback((row: Row) => void navigate({ to: `/decisions/${row.id ?? ""}` }), [navigate]);
  return (
    <StateOf query={head} what={words.title} height={480} isEmpty={({ items }) => items.length === 0} empty={words.none}>
      {() => (
        <DataTable
          label={words.title} rows={rows} columns={COLUMNS} id={idOf} onOpen={open} onEnd={more} height="calc(100dvh - 250px)"
          actions={stats.data && <span className="dim" role="status">{words.counts(stats.data.total, stats.data.ideas, stats.data.missed)}</span>}
        />
      )}
    </StateOf>
  );
}
