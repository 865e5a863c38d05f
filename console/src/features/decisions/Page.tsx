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
import { api, take } from "@/lib/api";
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

const PAGE = 100;

/** What the river shows of a decision. The rest, ten times as much, is read where one is opened. */
type Line = { key: string; id: string; closed: string; market: string; signal: string | null; said: string; strategy: string; action: string; checks: string; score: number | null; idea: string | null };
function lineOf(row: Row): Line {
  const made = of(row);
  return {
    key: String(row.seq), id: row.id ?? "", closed: made.bar_close, market: `${made.symbol} ${made.timeframe}`, signal: made.signal, said: sentence(made), strategy: made.strategy_id,
    action: plain(made.action), checks: made.refusals.map(({ check }) => plain(check)).join(", "), score: made.confidence?.score ?? null, idea: made.idea_id,
  };
}
type Lines = { items: readonly Line[]; next_cursor: string | null };
const rowsOf = ({ items }: Lines): readonly Line[] => items;
const idOf = ({ key }: Line): string => key;
async function read(query: ReturnType<typeof useWanted>["query"], cursor: string | undefined): Promise<Lines> {
  const { items, next_cursor } = await take(api.GET("/api/decisions", { params: { query: { ...query, limit: PAGE, ...(cursor && { cursor }) } } }));
  return { items: items.map(lineOf), next_cursor };
}

const COLUMNS: readonly Column<Line>[] = [
  { key: "at", title: words.at, wide: true, width: "140px", value: ({ closed }) => closed, cell: ({ closed }) => <time className="num dim" dateTime={closed} title="UTC">{clock(Date.parse(closed), 0, { seconds: false })}</time> },
  { key: "symbol", title: words.symbol, width: "124px", value: ({ market }) => market, cell: ({ market }) => <b>{market}</b> },
  {
    key: "said", title: words.said, wide: true, width: "minmax(240px, 4fr)", value: ({ said }) => said,
    cell: ({ id, said, signal }) => <Link to={`/decisions/${id}`} title={said} style={{ color: "inherit", textDecoration: "none" }}><Said text={said} signal={signal} /></Link>,
  },
  { key: "strategy", title: words.strategy, wide: true, width: "208px", value: ({ strategy }) => strategy, cell: ({ strategy }) => <Link to={`/strategies/${strategy}`}>{strategy}</Link> },
  { key: "action", title: words.action, width: "112px", value: ({ action }) => action },
  { key: "checks", title: words.checks, wide: true, width: "minmax(120px, 1fr)", value: ({ checks }) => checks },
  { key: "score", title: words.score, width: "70px", right: true, value: ({ score }) => score, cell: ({ score }) => <span title={words.scoreTip}>{fixedScore(score)}</span> },
  { key: "idea", title: words.ideaColumn, width: "70px", value: ({ idea }) => idea ?? "", cell: ({ idea }) => (idea ? <Link to={`/ideas/${idea}`}>{words.ideaColumn}</Link> : common.unknown) },
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
    page: (cursor) => read(query, cursor),
  });
  const stats = useQuery({ queryKey: ["decisions", "stats", key], queryFn: () => take(api.GET("/api/decisions/stats", { params: { query } })), placeholderData: (before) => before });
  const open = useCallback(({ id }: Line) => void navigate({ to: `/decisions/${id}` }), [navigate]);
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
