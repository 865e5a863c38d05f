import { useQuery } from "@tanstack/react-query";
import { HistogramSeries, LineSeries, type IChartApi, type Time } from "lightweight-charts";
import { useEffect, useMemo, type ReactNode } from "react";
import type { Chart } from "./bars";
import { api, take, type Schemas } from "@/lib/api";
import { market as words } from "@/lib/strings";

type Series = Schemas["StrategySeries"];
type Layout = { times: readonly number[]; on: Series["indicators"]; off: Series["indicators"]; rows: readonly Row[] };
type Row = { way: "up" | "down"; role: string; text: string; holds: readonly (boolean | null)[] };

const MOST_BARS = 5000;
const STEP = 1000;
const PANE = 72;
const ROW = 12;
const COLOURS = ["--study-1", "--study-2", "--study-3", "--study-4", "--study-5", "--study-6"];
const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** What a strategy computes at the bars that a chart shows; off where none is chosen. */
export function useStudy(strategy: string, symbol: string, bars: number) {
  const count = Math.min(MOST_BARS, Math.max(STEP, Math.ceil(bars / STEP) * STEP));
  return useQuery({
    queryKey: ["strategies", strategy, "series", symbol, count],
    queryFn: () => take(api.GET("/api/strategies/{strategy_id}/series", { params: { path: { strategy_id: strategy }, query: { symbol, bars: count } } })),
    enabled: strategy !== "",
    refetchInterval: 30_000,
    placeholderData: (before: Series | undefined) => before,
  });
}

/** One row a condition, in the order of the file, longs first. */
export const rowsOf = (study: Series): Row[] =>
  study.sides.flatMap(({ direction, conditions }) =>
    conditions.map(({ role, condition, holds }) => ({ way: direction === "long" ? "up" as const : "down" as const, role, text: condition, holds })));

/** Whether an indicator is a price: all that is known of it lies where the bars are. */
export function onPrice(values: readonly (number | null)[], low: number, high: number): boolean {
  const room = (high - low) * 0.5;
  const known = values.filter((value) => value !== null);
  return known.length > 0 && known.every((value) => value >= low - room && value <= high + room);
}

/** How much taller a chart is with the panes of a study. */
export const roomFor = (layout: Layout | undefined): number => (layout ? layout.off.length * PANE + layout.rows.length * ROW + 24 : 0);

/** What of a study is drawn on the candles, in panes of its own, and in the strip. */
export function layoutOf(study: Series, { bars }: Chart): Layout {
  const low = bars.reduce((least, bar) => Math.min(least, bar.low), Infinity);
  const high = bars.reduce((most, bar) => Math.max(most, bar.high), -Infinity);
  const on = study.indicators.filter(({ values }) => onPrice(values, low, high));
  return { times: study.times, on, off: study.indicators.filter((one) => !on.includes(one)), rows: rowsOf(study) };
}

/** Draws indicators over the candles and below them, and the strip of conditions, filled where one holds. */
export function useDrawn(made: IChartApi | undefined, layout: Layout | undefined, chart: Chart): void {
  const shown = useMemo(() => new Map(chart.utc.map((utc, index) => [utc, chart.bars[index]?.time as Time])), [chart]);
  useEffect(() => {
    if (!made || !layout) return undefined;
    const { times, on, off, rows } = layout;
    const at = times.map((utc) => shown.get(utc));
    const line = (values: readonly (number | null)[]) =>
      values.flatMap((value, index) => {
        const time = at[index];
        return time === undefined ? [] : [value === null ? { time } : { time, value }];
      });
    const quiet = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false } as const;
    const drawn = [...on, ...off].map(({ text, values }, index) => {
      const series = made.addSeries(LineSeries, { ...quiet, title: text, color: colour(COLOURS[index % COLOURS.length] ?? ""), lineWidth: 1 }, Math.max(0, index - on.length + 1));
      series.setData(line(values));
      return series;
    });
    const strip = rows.map((row, index) => {
      const base = rows.length - index - 1;
      const series = made.addSeries(HistogramSeries, { priceLineVisible: false, lastValueVisible: false, base, priceFormat: { type: "custom", formatter: () => "", minMove: 1 } }, off.length + 1);
      const [holds, unknown] = [colour(row.way === "up" ? "--up" : "--down"), colour("--desk-line")];
      series.setData(row.holds.flatMap((held, place) => {
        const time = at[place];
        if (time === undefined) return [];
        return held === false ? [{ time }] : [{ time, value: base + 0.8, color: held === null ? unknown : holds }];
      }));
      return series;
    });
    made.panes().slice(1).forEach((pane, index) => pane.setHeight(index < off.length ? PANE : rows.length * ROW + 8));
    return () => {
      for (const series of [...drawn, ...strip]) made.removeSeries(series);
    };
  }, [made, layout, shown]);
}

/** Names of the strip's rows, with what each says of the newest bar. */
export function Legend({ study, timeframe, onTimeframe }: { study: Series; timeframe: string; onTimeframe: (timeframe: string) => void }): ReactNode {
  if (study.timeframe !== timeframe) {
    return <div className="dim">{words.otherTimeframe(study.strategy, study.timeframe)} <button type="button" className="link" onClick={() => onTimeframe(study.timeframe)}>{words.show} {study.timeframe}</button></div>;
  }
  return (
    <ol className="striplegend">
      {rowsOf(study).map(({ way, role, text, holds }, index) => {
        const now = holds.at(-1) ?? null;
        return (
          <li key={`${index} ${text}`}>
            <span className={way} aria-hidden>{way === "up" ? "▲" : "▼"}</span> <span className="dim">{words.roles[role] ?? role}</span> <code>{text}</code>{" "}
            <b>{now === null ? words.undefinedNow : now ? words.holdsNow : words.failsNow}</b>
          </li>
        );
      })}
    </ol>
  );
}
