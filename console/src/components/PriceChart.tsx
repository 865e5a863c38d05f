import { useMantineColorScheme } from "@mantine/core";
import {
  CandlestickSeries, createChart, CrosshairMode, createSeriesMarkers, LineStyle, type AutoscaleInfo, type IChartApi, type IPriceLine, type ISeriesApi,
  type SeriesMarker, type Time, type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useRef, type ReactNode } from "react";
import { BandsPrimitive, type Band } from "./bands";
import { usePrefs } from "@/lib/prefs";

export type Bar = { time: UTCTimestamp; open: number; high: number; low: number; close: number };
export type Line = { id: string; price: number; title: string; colour?: string; dashed?: boolean; draggable?: boolean };
export type { Band };

const REACH = 6;
const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * Candles. bars: by time, ascending; times in seconds, moved by the broker's offset where broker time shall show.
 * digits: the symbol's. lines: price lines, always in sight; a draggable one calls onDrag while it is moved and onDrop when let go.
 * markers: trades, ideas, events. bands: spans of time behind the candles (sessions, pauses around news).
 * onReady: the chart, for further series (indicators) of one's own.
 */
export function PriceChart(props: {
  label: string;
  bars: readonly Bar[];
  digits: number;
  height?: number;
  lines?: readonly Line[];
  markers?: readonly SeriesMarker<Time>[];
  bands?: readonly Band[];
  onDrag?: (id: string, price: number) => void;
  onDrop?: (id: string, price: number) => void;
  onReady?: (chart: IChartApi, series: ISeriesApi<"Candlestick">) => (() => void) | undefined;
}): ReactNode {
  const { label, bars, digits, height = 420, lines, markers, bands, onDrag, onDrop, onReady } = props;
  const place = useRef<HTMLDivElement>(null);
  const made = useRef<{ chart: IChartApi; series: ISeriesApi<"Candlestick">; marks: ReturnType<typeof createSeriesMarkers<Time>>; bands: BandsPrimitive } | null>(null);
  const drawn = useRef<{ line: Line; at: IPriceLine }[]>([]);
  const { colorScheme } = useMantineColorScheme();
  const { pair } = usePrefs();
  const ready = useRef(onReady);
  const drag = useRef({ onDrag, onDrop });
  useEffect(() => {
    drag.current = { onDrag, onDrop };
  }, [onDrag, onDrop]);

  useEffect(() => {
    if (!place.current) return undefined;
    const chart = createChart(place.current, { autoSize: true, layout: { attributionLogo: false }, timeScale: { timeVisible: true }, crosshair: { mode: CrosshairMode.Normal } });
    const series = chart.addSeries(CandlestickSeries, {
      borderVisible: false,
      autoscaleInfoProvider: (own: () => AutoscaleInfo | null) => {
        const found = own();
        const range = found?.priceRange;
        if (!found || !range) return found;
        const prices = drawn.current.map(({ line }) => line.price);
        return { ...found, priceRange: { minValue: Math.min(range.minValue, ...prices), maxValue: Math.max(range.maxValue, ...prices) } };
      },
    });
    const primitive = new BandsPrimitive();
    series.attachPrimitive(primitive);
    made.current = { chart, series, marks: createSeriesMarkers(series, []), bands: primitive };
    const undo = ready.current?.(chart, series);
    return () => {
      undo?.();
      drawn.current = [];
      made.current = null;
      chart.remove();
    };
  }, []);

  useEffect(() => {
    const [up, down, grid] = [colour("--up"), colour("--down"), colour("--desk-line")];
    made.current?.chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: colour("--mantine-color-dimmed") },
      grid: { vertLines: { color: grid }, horzLines: { color: grid } },
    });
    made.current?.series.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
  }, [colorScheme, pair]);
  useEffect(() => {
    made.current?.series.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
  }, [digits]);
  useEffect(() => made.current?.series.setData(bars as Bar[]), [bars]);
  useEffect(() => made.current?.marks.setMarkers([...(markers ?? [])]), [markers]);
  useEffect(() => made.current?.bands.show(bands ?? []), [bands]);
  useEffect(() => {
    const series = made.current?.series;
    if (!series) return;
    for (const { at } of drawn.current) series.removePriceLine(at);
    drawn.current = (lines ?? []).map((line) => ({
      line,
      at: series.createPriceLine({
        price: line.price, title: line.title, color: line.colour ?? colour("--mantine-color-dimmed"), lineWidth: 1,
        lineStyle: line.dashed ? LineStyle.Dashed : LineStyle.Solid, axisLabelVisible: true,
      }),
    }));
  }, [lines]);

  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    let held: { line: Line; at: IPriceLine } | undefined;
    const y = (event: PointerEvent): number => event.clientY - element.getBoundingClientRect().top;
    const near = (event: PointerEvent) =>
      drawn.current.find(({ line, at }) => {
        const where = made.current?.series.priceToCoordinate(at.options().price);
        return line.draggable === true && where != null && Math.abs(where - y(event)) <= REACH;
      });
    const priceAt = (event: PointerEvent): number | null => {
      const found = made.current?.series.coordinateToPrice(y(event));
      return found == null ? null : Number(found.toFixed(digits));
    };
    const down = (event: PointerEvent): void => {
      held = near(event);
      if (!held) return;
      event.preventDefault(); // no mouse event follows by which the chart would be moved
      event.stopPropagation();
      element.setPointerCapture(event.pointerId);
    };
    const touch = (event: TouchEvent): void => {
      if (!held) return;
      event.preventDefault(); // nor does the page scroll
      event.stopPropagation();
    };
    const move = (event: PointerEvent): void => {
      element.style.cursor = held ?? near(event) ? "ns-resize" : "";
      const price = held && priceAt(event);
      if (!held || price == null) return;
      event.stopPropagation();
      held.at.applyOptions({ price });
      drag.current.onDrag?.(held.line.id, price);
    };
    const up = (event: PointerEvent): void => {
      if (!held) return;
      const price = priceAt(event);
      if (price !== null) drag.current.onDrop?.(held.line.id, price);
      held = undefined;
    };
    element.addEventListener("pointerdown", down, true);
    element.addEventListener("touchstart", touch, { capture: true, passive: false });
    element.addEventListener("pointermove", move, true);
    element.addEventListener("pointerup", up, true);
    return () => {
      element.removeEventListener("pointerdown", down, true);
      element.removeEventListener("touchstart", touch, true);
      element.removeEventListener("pointermove", move, true);
      element.removeEventListener("pointerup", up, true);
    };
  }, [digits]);

  return <div ref={place} role="img" aria-label={label} style={{ height }} />;
}
