import { Alert, Button, Checkbox, Group, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useCallback, useMemo, type ReactNode } from "react";
import { currencyOf, periodOf, strategies, type Run } from "./read";
import { Spark } from "./Spark";
import { Start } from "./Start";
import { DataTable, type Column } from "@/components/DataTable";
import { Money, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { inR, percent } from "@/lib/format";
import { useLog } from "@/lib/log";
import { common, research as words } from "@/lib/strings";

const NAMES = ["strategy", "symbol", "from", "to", "fresh"] as const;
const DAY = 86_400_000;
const instant = (text: string, later = 0): string | undefined => {
  const at = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(at) ? undefined : new Date(at + later).toISOString();
};
const rowsOf = ({ items }: Schemas["BacktestPage"]): readonly Run[] => items;
const idOf = ({ id }: Run): string => id;
const share = (value: number | null): number | null => (value === null ? null : value / 100);
const ratio = (value: number | null): string => (value === null ? common.unknown : value.toFixed(2).replace("-", "−"));

/** Kept backtests, one started, two laid over each other. */
export function Page(): ReactNode {
  const navigate = useNavigate();
  const [found, change] = useFilters(NAMES);
  const [{ a, b }, pick] = useFilters(["a", "b"]);
  const from = instant(found.from);
  const to = instant(found.to, DAY);
  const query = { ...(found.strategy && { strategy: found.strategy }), ...(found.symbol && { symbol: found.symbol }), ...(from && { from }), ...(to && { to }) };
  const { head, rows, more } = useLog({
    noun: "backtests", filters: [JSON.stringify(query)], every: 30_000, rows: rowsOf, id: idOf,
    page: (cursor) => take(api.GET("/api/backtests", { params: { query: { ...query, limit: 200, ...(cursor && { cursor }) } } })),
  });
  const known = useQuery(strategies);
  const toggle = useCallback((id: string) => {
    if (a === id) pick({ a: b || null, b: null });
    else if (b === id) pick({ b: null });
    else if (!a) pick({ a: id });
    else pick({ b: id });
  }, [a, b, pick]);
  const columns = useMemo(() => columnsWith([a, b], toggle), [a, b, toggle]);
  const open = useCallback((run: Run) => void navigate({ to: `/research/${run.id}` }), [navigate]);
  const shown = useMemo(() => (found.fresh ? rows.filter(({ stale }) => stale.length === 0) : rows), [rows, found.fresh]);
  const picked = [a, b].filter(Boolean).length;
  return (
    <>
      <h1 className="away">{words.title}</h1>
      <Start />
      <Group gap={8} mb={10} align="flex-end" className="filters">
        <Select size="xs" w={220} label={words.strategy} placeholder={words.any} clearable searchable data={(known.data?.strategies ?? []).map(({ id }) => id)} value={found.strategy || null} onChange={(strategy) => change({ strategy })} clearButtonProps={{ "aria-label": `${words.clear}: ${words.strategy}` }} />
        <Select size="xs" w={130} label={words.symbol} placeholder={words.any} clearable searchable data={[...new Set([...(known.data?.strategies ?? []).flatMap(({ symbol, symbols }) => [symbol, ...symbols]), ...(found.symbol ? [found.symbol] : [])])].sort()} value={found.symbol || null} onChange={(symbol) => change({ symbol })} clearButtonProps={{ "aria-label": `${words.clear}: ${words.symbol}` }} />
        <TextInput size="xs" w={135} type="date" label={words.from} value={found.from} onChange={(event) => change({ from: event.currentTarget.value })} />
        <TextInput size="xs" w={135} type="date" label={words.to} value={found.to} onChange={(event) => change({ to: event.currentTarget.value })} />
        <Checkbox size="xs" mb={7} label={words.onlyFresh} checked={found.fresh !== ""} onChange={(event) => change({ fresh: event.currentTarget.checked ? "1" : null })} />
        {NAMES.some((name) => found[name]) && <Button size="xs" variant="subtle" onClick={() => change({ strategy: null, symbol: null, from: null, to: null, fresh: null })}>{words.clear}</Button>}
      </Group>
      <StateOf query={head} what={words.runs} height={360} isEmpty={({ items, problems }) => items.length === 0 && problems.length === 0} empty={words.none}>
        {({ problems }) => (
          <>
            {problems.map(({ id, reason }) => <Alert key={id} color="yellow" mb={8}>{words.damaged(id, reason)}</Alert>)}
            <DataTable
              label={words.runs} rows={shown} columns={columns} id={idOf} onOpen={open} onEnd={more} height="calc(100dvh - 300px)"
              actions={<Button size="compact-xs" variant="default" title={words.pickTip} disabled={picked < 2} onClick={() => void navigate({ to: "/research/compare", search: { a, b } })}>{words.picked(picked)}</Button>}
            />
          </>
        )}
      </StateOf>
    </>
  );
}

function columnsWith(picked: readonly string[], toggle: (id: string) => void): readonly Column<Run>[] {
  const why = (run: Run, key: keyof Run["metrics"]): string => run.undefined[key] ?? words.formulas[key];
  return [
    { key: "pick", title: words.pick, width: "52px", value: ({ id }) => (picked.includes(id) ? 1 : 0), cell: ({ id }) => <span onClick={(event) => event.stopPropagation()}><Checkbox size="xs" aria-label={words.pickThis(id)} checked={picked.includes(id)} onChange={() => toggle(id)} /></span> },
    { key: "strategy", title: words.strategy, width: "minmax(120px, 1fr)", value: (run) => run.strategies.join(" + "), cell: (run) => <Link to={`/research/${run.id}`}>{run.strategies.join(" + ")}</Link> },
    { key: "symbol", title: words.symbol, width: "108px", value: (run) => run.symbols.join(" + "), cell: (run) => <b>{run.symbols.join(" + ")} {run.timeframe}</b> },
    { key: "period", title: words.period, wide: true, width: "188px", value: periodOf, cell: (run) => <span className="num dim">{periodOf(run)}</span> },
    { key: "equity", title: words.equity, width: "130px", value: ({ metrics }) => metrics.total_return_pct, cell: ({ id }) => <Spark id={id} /> },
    { key: "net", title: words.net, right: true, width: "124px", value: ({ metrics }) => metrics.net_profit, cell: (run) => <Money value={run.metrics.net_profit} currency={currencyOf(run)} why={why(run, "net_profit")} /> },
    { key: "ret", title: words.ret, right: true, width: "78px", value: ({ metrics }) => metrics.total_return_pct, cell: (run) => <span title={why(run, "total_return_pct")}>{percent(share(run.metrics.total_return_pct), 1, true)}</span> },
    { key: "dd", title: words.dd, right: true, width: "82px", value: ({ metrics }) => metrics.max_drawdown_pct, cell: (run) => <span title={why(run, "max_drawdown_pct")}>{percent(share(run.metrics.max_drawdown_pct), 1)}</span> },
    { key: "trades", title: words.trades, right: true, width: "70px", value: ({ metrics }) => metrics.trades, cell: ({ metrics }) => metrics.trades.toLocaleString("en-US") },
    { key: "pf", title: words.pf, right: true, width: "56px", value: ({ metrics }) => metrics.profit_factor, cell: (run) => <span title={why(run, "profit_factor")}>{ratio(run.metrics.profit_factor)}</span> },
    { key: "exp", title: words.exp, right: true, width: "78px", value: ({ metrics }) => metrics.expectancy_r, cell: (run) => <span title={why(run, "expectancy_r")}>{inR(run.metrics.expectancy_r)}</span> },
    { key: "sharpe", title: words.sharpe, right: true, width: "74px", value: ({ metrics }) => metrics.sharpe, cell: (run) => <span title={why(run, "sharpe")}>{ratio(run.metrics.sharpe)}</span> },
    { key: "computed", title: words.computed, width: "110px", value: ({ computed_at }) => computed_at, cell: ({ computed_at }) => <RelativeTime at={computed_at} wall /> },
    { key: "state", title: words.state, width: "72px", value: ({ stale }) => stale.join("; ") || words.fresh, cell: ({ stale }) => stale.length === 0 ? <span className="dim">{words.fresh}</span> : <span className="warn" title={`${words.staleTip}: ${stale.join("; ")}`}>{words.stale}</span> },
  ];
}
