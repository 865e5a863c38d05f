import { useQuery } from "@tanstack/react-query";
import type { SeriesMarker, Time, UTCTimestamp } from "lightweight-charts";
import { useMemo, useState, type ReactNode } from "react";
import { PriceChart, type Band, type Line } from "./PriceChart";
import { StateOf } from "./StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { levels as words } from "@/lib/strings";

export type Timeframe = Schemas["Timeframe"];
export type Levels = { entry?: number | null; stop?: number | null; target?: number | null };
export type LevelName = keyof Levels;
export type Mark = { at: string; text: string; below: boolean; colour: string };

const LONGEST = 300;
const secondsOf = (at: string): number => Date.parse(at) / 1000;

/**
 * A symbol's candles in broker time with the levels of a trade as lines. editable: those that may be dragged;
 * onDrag is told while one is moved, onDrop when it is let go. until: the last bars closed by then, else the
 * newest. marks: fills and exits. spans: times behind the candles (pauses around news).
 */
export function LevelChart(props: {
  symbol: string;
  timeframe: Timeframe;
  digits: number;
  levels: Levels;
  editable?: readonly LevelName[];
  onDrag?: (name: LevelName, price: number) => void;
  onDrop?: (name: LevelName, price: number) => void;
  until?: string | undefined;
  marks?: readonly Mark[];
  spans?: readonly { from: string; to: string }[];
  height?: number;
}): ReactNode {
  const { symbol, timeframe, digits, levels, editable, onDrag, onDrop, until, marks, spans, height = 340 } = props;
  const [held, setHeld] = useState<readonly Line[] | null>(null);
  const query = useQuery({
    queryKey: ["market", symbol, "bars", timeframe, until ?? "now", LONGEST],
    queryFn: () => take(api.GET("/api/market/{symbol}/bars", { params: { path: { symbol }, query: { timeframe, count: LONGEST, ...(until ? { until } : {}) } } })),
    refetchInterval: until ? false : 15_000,
  });
  const { data } = query;
  const bars = useMemo(() => {
    const { server_time: at, open, high, low, close } = data ?? {};
    if (!at || !open || !high || !low || !close) return [];
    return at.map((time, n) => ({ time: time as UTCTimestamp, open: open[n] ?? NaN, high: high[n] ?? NaN, low: low[n] ?? NaN, close: close[n] ?? NaN }));
  }, [data]);
  const ahead = (data?.server_time?.at(-1) ?? 0) - (data?.time?.at(-1) ?? 0);
  const { entry, stop, target } = levels;
  const may = editable?.join();
  const lines = useMemo(() => {
    const free = new Set(may?.split(","));
    return ([["entry", entry, "var(--mantine-primary-color-filled)"], ["stop", stop, "var(--down)"], ["target", target, "var(--up)"]] as const).flatMap(
      ([id, price, colour]): Line[] => (price == null ? [] : [{ id, price, title: words[id], colour: resolved(colour), dashed: !free.has(id), draggable: free.has(id) }]),
    );
  }, [entry, stop, target, may]);
  const markers = useMemo(
    () =>
      (marks ?? [])
        .map(({ at, text, below, colour }): SeriesMarker<Time> => ({
          time: barOf(bars, secondsOf(at) + ahead), text, position: below ? "belowBar" : "aboveBar", shape: below ? "arrowUp" : "arrowDown", color: resolved(colour),
        }))
        .sort((one, other) => Number(one.time) - Number(other.time)),
    [marks, bars, ahead],
  );
  const bands = useMemo(
    () => (spans ?? []).map(({ from, to }): Band => ({
      from: (secondsOf(from) + ahead) as UTCTimestamp, to: (secondsOf(to) + ahead) as UTCTimestamp, colour: "rgba(242, 182, 50, 0.18)",
    })),
    [spans, ahead],
  );
  return (
    <StateOf query={query} what={words.bars} height={height} isEmpty={({ count }) => count === 0} empty={words.none(data?.reason ?? "")}>
      {() => (
        <PriceChart
          label={words.chart(symbol, timeframe)} bars={bars} digits={digits} height={height} lines={held ?? lines} markers={markers} bands={bands}
          onDrag={(id, price) => {
            setHeld((before) => before ?? lines); // the line in hand stays the same one
            onDrag?.(id as LevelName, price);
          }}
          onDrop={(id, price) => {
            if (held) onDrop?.(id as LevelName, price);
            setHeld(null);
          }}
        />
      )}
    </StateOf>
  );
}

/** What a CSS variable stands for: a canvas knows none. */
function resolved(colour: string): string {
  const name = /^var\((.+)\)$/.exec(colour)?.[1];
  return name ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : colour;
}

/** The time of the bar in which a moment lies. */
function barOf(bars: readonly { time: UTCTimestamp }[], moment: number): UTCTimestamp {
  let found = bars[0]?.time ?? (moment as UTCTimestamp);
  for (const { time } of bars) {
    if (time > moment) break;
    found = time;
  }
  return found;
}
