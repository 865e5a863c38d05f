import { useQuery } from "@tanstack/react-query";
import type { SeriesMarker, Time, UTCTimestamp } from "lightweight-charts";
import { useMemo, type ReactNode } from "react";
import type { Run, Trade } from "./read";
import { DataTable, type Column } from "@/components/DataTable";
import { Money } from "@/components/Numbers";
import { PriceChart } from "@/components/PriceChart";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { clock, digitsOf, inR, price } from "@/lib/format";
import { research as words } from "@/lib/strings";

const idOf = ({ id }: Trade): number => id;
const at = (text: string): string => clock(Date.parse(text), 0, { seconds: false });
const charged = (one: Trade): number => one.spread_cost + one.slippage_cost + one.gap_cost + one.commission - one.swap;
const digitsFor = (trades: readonly Trade[]): number => Math.max(0, ...trades.slice(0, 200).map(({ entry_price }) => digitsOf(entry_price)));

export function Trades({ trades, total, more, currency }: { trades: readonly Trade[]; total: number; more: () => void; currency: string }): ReactNode {
  const digits = digitsFor(trades);
  const columns = useMemo((): readonly Column<Trade>[] => [
    { key: "id", title: words.id, width: "60px", right: true, value: ({ id }) => id },
    { key: "symbol", title: words.symbol, width: "90px", value: ({ symbol }) => symbol },
    { key: "side", title: words.side, width: "80px", value: ({ side }) => side, cell: ({ side }) => <span className={side === "long" ? "up" : "down"}>{side === "long" ? "▲" : "▼"} {side}</span> },
    { key: "volume", title: words.volume, width: "70px", right: true, value: ({ volume }) => volume, cell: ({ volume }) => volume.toFixed(2) },
    { key: "entry", title: words.entry, width: "140px", value: ({ entry_time }) => at(entry_time) },
    { key: "in", title: words.entryPrice, width: "90px", right: true, value: ({ entry_price }) => entry_price, cell: ({ entry_price }) => price(entry_price, digits) },
    { key: "exit", title: words.exit, width: "140px", value: ({ exit_time }) => at(exit_time) },
    { key: "out", title: words.exitPrice, width: "90px", right: true, value: ({ exit_price }) => exit_price, cell: ({ exit_price }) => price(exit_price, digits) },
    { key: "reason", title: words.reason, width: "minmax(110px, 1fr)", value: ({ exit_reason, ambiguous }) => exit_reason.replaceAll("_", " ") + (ambiguous ? `, ${words.ambiguous}` : "") },
    { key: "costs", title: words.costs, width: "90px", right: true, value: charged, cell: (one) => <Money value={-charged(one)} /> },
    { key: "net", title: words.net, width: "120px", right: true, value: ({ net }) => net, cell: ({ net }) => <Money value={net} currency={currency} /> },
    { key: "r", title: words.r, width: "80px", right: true, value: ({ r }) => r, cell: ({ r }) => inR(r) },
  ], [digits, currency]);
  return <DataTable label={words.tradesTitle} rows={trades} columns={columns} id={idOf} onEnd={more} height={380} actions={<span className="dim">{words.scatterPart(trades.length, total)}</span>} />;
}

/** The last bars of the run that the desk itself keeps, with the trades in them. */
export function OnCandles({ run, trades }: { run: Run; trades: readonly Trade[] }): ReactNode {
  const symbol = run.symbols[0] ?? "";
  const query = useQuery({
    queryKey: ["market", "bars", symbol, run.timeframe, run.period.from, run.period.to],
    queryFn: () => take(api.GET("/api/market/{symbol}/bars", { params: { path: { symbol }, query: { timeframe: run.timeframe as "H1", since: run.period.from, until: run.period.to, count: 20_000 } } })),
    staleTime: Infinity,
  });
  const bars = useMemo(() => {
    const { time, open, high, low, close } = query.data ?? {};
    if (!time || !open || !high || !low || !close) return [];
    return time.flatMap((when, n) => {
      const [o, h, l, c] = [open[n], high[n], low[n], close[n]];
      return o == null || h == null || l == null || c == null ? [] : [{ time: when as UTCTimestamp, open: o, high: h, low: l, close: c }];
    });
  }, [query.data]);
  const first = bars[0]?.time ?? Infinity;
  const last = bars.at(-1)?.time ?? -Infinity;
  const inside = useMemo(() => trades.filter((one) => one.symbol === symbol && Date.parse(one.entry_time) / 1000 >= first && Date.parse(one.exit_time) / 1000 <= last), [trades, symbol, first, last]);
  const markers = useMemo(() => {
    const made = inside.flatMap(({ side, net, r, entry_time, exit_time }): SeriesMarker<Time>[] => [
      { time: (Date.parse(entry_time) / 1000) as UTCTimestamp, position: side === "long" ? "belowBar" : "aboveBar", shape: side === "long" ? "arrowUp" : "arrowDown", color: "#8a93a3" },
      { time: (Date.parse(exit_time) / 1000) as UTCTimestamp, position: side === "long" ? "aboveBar" : "belowBar", shape: "circle", color: net > 0 ? "#4ea1f3" : "#f0984a", text: r === null ? "" : inR(r) },
    ]);
    return made.sort((one, other) => Number(one.time) - Number(other.time));
  }, [inside]);
  return (
    <StateOf query={query} what={words.candles} height={380} isEmpty={() => bars.length === 0} empty={words.noBars}>
      {() => <><PriceChart label={words.candles} bars={bars} digits={digitsFor(trades)} markers={markers} height={380} /><div className="dim">{words.candlesPart(inside.length)}</div></>}
    </StateOf>
  );
}
