import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { IChartApi, ISeriesApi, LogicalRange, MouseEventParams } from "lightweight-charts";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { TIMEFRAMES, useBars } from "./bars";
import { drawn, sessionBands, type Mark } from "./marks";
import { layoutOf, Legend, roomFor, useDrawn, useStudy } from "./Studied";
import { useQuote } from "./Watchlist";
import { PriceChart } from "@/components/PriceChart";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { duration } from "@/lib/format";
import { market as words } from "@/lib/strings";

const SECONDS: Record<string, number> = { M: 60, H: 3600, D: 86_400, W: 604_800 };
export const secondsOf = (timeframe: string): number => (timeframe === "MN1" ? 31 * 86_400 : (SECONDS[timeframe[0] ?? ""] ?? 60) * Number(timeframe.slice(1)));

/** One chart: candles of one timeframe, the live bid, sessions, and what happened. */
export function Panel(props: {
  symbol: string;
  timeframe: Schemas["Timeframe"];
  onTimeframe: (timeframe: string | null) => void;
  optional?: boolean;
  digits: number;
  broker: boolean;
  sessions: boolean;
  marks: readonly Mark[];
  strategy: string;
  height: number;
  onBar: (utc: number, timeframe: string) => void;
  onLast?: (utc: number) => void;
}): ReactNode {
  const { symbol, timeframe, onTimeframe, optional = false, digits, broker, sessions, marks, strategy, height, onBar, onLast } = props;
  const { head, chart, more, loading, all } = useBars(symbol, timeframe, broker);
  const { data: quote } = useQuote(symbol);
  const { data: study, error } = useStudy(strategy, symbol, chart.bars.length);
  const drawable = study?.timeframe === timeframe && study.strategy === strategy && chart.bars.length > 0;
  const layout = useMemo(() => (study && drawable ? layoutOf(study, chart) : undefined), [study, drawable, chart]);
  const navigate = useNavigate();
  const [ready, setReady] = useState<{ chart: IChartApi; series: ISeriesApi<"Candlestick"> } | null>(null);
  const seconds = secondsOf(timeframe);
  const now = useRef({ chart, marks, more, onBar });
  useEffect(() => {
    now.current = { chart, marks, more, onBar };
  });
  const last = chart.utc.at(-1);
  useEffect(() => {
    if (last !== undefined) onLast?.(last);
  }, [last, onLast]);
  useEffect(() => {
    if (!ready) return undefined;
    const moved = (range: LogicalRange | null): void => {
      if (range && range.from < 60) now.current.more();
    };
    const clicked = (event: MouseEventParams): void => {
      const mark = now.current.marks.find(({ id }) => id === event.hoveredInfo?.objectId);
      if (mark?.to) return void navigate({ to: mark.to });
      const index = now.current.chart.bars.findIndex(({ time }) => time === event.time);
      const utc = now.current.chart.utc[index];
      if (utc !== undefined) now.current.onBar(utc, timeframe);
    };
    ready.chart.timeScale().subscribeVisibleLogicalRangeChange(moved);
    ready.chart.subscribeClick(clicked);
    return () => {
      ready.chart.timeScale().unsubscribeVisibleLogicalRangeChange(moved);
      ready.chart.unsubscribeClick(clicked);
    };
  }, [ready, navigate, timeframe]);
  const bid = quote ? Number(quote.bid) : null;
  useEffect(() => {
    if (!ready || bid === null) return undefined;
    const line = ready.series.createPriceLine({ price: bid, title: words.bid, lineWidth: 1, axisLabelVisible: true, color: getComputedStyle(document.documentElement).getPropertyValue("--up").trim() });
    return () => ready.series.removePriceLine(line);
  }, [ready, bid]);
  useDrawn(ready?.chart, layout, chart);
  const markers = useMemo(() => drawn(chart, marks, seconds), [chart, marks, seconds]);
  const { data: language } = useQuery({ queryKey: ["strategies", "language"], queryFn: () => take(api.GET("/api/strategies/language")), staleTime: Infinity });
  const hours = sessions && seconds <= 14_400 ? language?.sessions : undefined;
  const bands = useMemo(() => (hours ? sessionBands(chart, hours) : []), [chart, hours]);
  return (
    <section className="card" aria-label={words.chart(symbol, timeframe)}>
      <div className="marketbar">
        <Select size="xs" w={92} aria-label={optional ? words.second : words.timeframe} data={[...TIMEFRAMES]} value={timeframe} onChange={onTimeframe} clearable={optional} allowDeselect={false} />
        {head.data && (
          <span className="dim num">
            {words.count(chart.bars.length)}{head.data.made_of !== timeframe && ` · ${words.madeOf(head.data.made_of)}`} · {words.age} {head.data.age_seconds === null ? "—" : duration(head.data.age_seconds)}
            {loading ? ` · ${words.older}` : all ? ` · ${words.beginning}` : ""}
          </span>
        )}
      </div>
      <StateOf query={head} what={words.bars(symbol)} height={height} isEmpty={({ count }) => count === 0} empty={head.data?.reason}>
        {() => (
          <PriceChart
            key={`${symbol} ${timeframe} ${broker}`} label={words.chart(symbol, timeframe)} bars={chart.bars} digits={digits} height={height + roomFor(layout)} markers={markers} bands={bands}
            onReady={(made, series) => {
              setReady({ chart: made, series });
              return () => setReady(null);
            }}
          />
        )}
      </StateOf>
      {strategy && study && <Legend study={study} timeframe={timeframe} onTimeframe={onTimeframe} />}
      {strategy && error && <div className="warn" role="alert">{error.message}</div>}
    </section>
  );
}
