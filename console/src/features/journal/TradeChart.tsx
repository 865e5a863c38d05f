import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { SeriesMarker, Time, UTCTimestamp } from "lightweight-charts";
import { useMemo, useState, type ReactNode } from "react";
import { sideOf, type Trade } from "./trades";
import { PriceChart, type Bar, type Line } from "@/components/PriceChart";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { price } from "@/lib/format";
import { useMoment } from "@/lib/moment";
import { journal as words, shell } from "@/lib/strings";

const SECONDS = { M1: 60, M5: 300, M15: 900, H1: 3600, H4: 14_400, D1: 86_400 } as const;
type Frame = keyof typeof SECONDS;
const FRAMES = Object.keys(SECONDS) as Frame[];
const [BEFORE, AFTER, LONGEST] = [60, 30, 80];

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();
const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Candles from before a trade's entry until after its exit, on the clock that the person chose. */
export function TradeChart({ trade, digits }: { trade: Trade; digits: number }): ReactNode {
  const entry = Date.parse(trade.entry_time) / 1000;
  const exit = Date.parse(trade.exit_time) / 1000;
  const [frame, setFrame] = useState<Frame>(() => FRAMES.find((one) => (exit - entry) / SECONDS[one] <= LONGEST) ?? "D1");
  const { offset, name } = useMoment();
  const query = useQuery({
    queryKey: ["market", "around", trade.id, frame],
    queryFn: () => take(api.GET("/api/market/{symbol}/bars", {
      params: {
        path: { symbol: trade.symbol },
        query: { timeframe: frame, count: 3000, since: iso(entry - BEFORE * SECONDS[frame]), until: iso(exit + (AFTER + 1) * SECONDS[frame]) },
      },
    })),
    staleTime: 60_000,
  });
  return (
    <section>
      <SegmentedControl size="xs" mb={6} value={frame} onChange={(value) => setFrame(value as Frame)} aria-label={words.timeframe} data={FRAMES} />
      <span className="dim" style={{ marginLeft: 8 }}>{shell.clocks[name]}</span>
      <StateOf query={query} what={words.chart} height={300} isEmpty={({ count }) => count === 0} empty={words.noBars}>
        {(bars) => <Candles trade={trade} bars={bars} digits={digits} offset={offset} />}
      </StateOf>
    </section>
  );
}

function Candles({ trade, bars, digits, offset }: { trade: Trade; bars: Schemas["BarsAnswer"]; digits: number; offset: (when: number) => number }): ReactNode {
  const [shown, markers, lines] = useMemo(() => {
    const times = bars.time ?? [];
    const made: Bar[] = times.map((time, index) => ({
      time: (time + offset(time * 1000)) as UTCTimestamp, open: bars.open?.[index] ?? 0, high: bars.high?.[index] ?? 0, low: bars.low?.[index] ?? 0, close: bars.close?.[index] ?? 0,
    }));
    const barOf = (at: string): Time | undefined => {
      const seconds = Date.parse(at) / 1000;
      const later = times.findIndex((time) => time > seconds);
      return made[later < 0 ? made.length - 1 : later - 1]?.time;
    };
    const mark = (at: string, text: string, into: boolean): SeriesMarker<Time>[] => {
      const time = barOf(at);
      const up = (trade.side === "long") === into;
      return time === undefined ? [] : [{ time, position: up ? "belowBar" : "aboveBar", shape: up ? "arrowUp" : "arrowDown", color: colour(into ? "--mantine-primary-color-filled" : "--warn"), text }];
    };
    const line = (id: string, value: number | null, title: string, tint: string, dashed: boolean): Line[] =>
      value === null ? [] : [{ id, price: value, title, colour: colour(tint), dashed }];
    return [
      made,
      [...mark(trade.entry_time, words.facts.entry, true), ...mark(trade.exit_time, `${words.facts.exit}: ${trade.exit_reason}`, false)],
      [
        ...line("entry", trade.entry_price, words.facts.entry, "--mantine-primary-color-filled", false),
        ...line("exit", trade.exit_price, words.facts.exit, "--warn", false),
        ...line("stop", trade.initial_stop, words.facts.stop, "--down", true),
        ...line("target", trade.initial_target, words.facts.target, "--up", true),
      ],
    ];
  }, [trade, bars, offset]);
  const label = `${words.chart}: ${trade.symbol} ${sideOf(trade.side)}, ${words.facts.entry} ${price(trade.entry_price, digits)}, ${words.facts.exit} ${price(trade.exit_price, digits)}`;
  return <PriceChart label={label} bars={shown} digits={digits} height={300} markers={markers} lines={lines} />;
}
