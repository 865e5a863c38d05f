import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { SeriesMarker, Time } from "lightweight-charts";
import { useMemo } from "react";
import type { Chart } from "./bars";
import { barAt, inSessions, type SessionHours } from "./sessions";
import type { Band } from "@/components/PriceChart";
import { api, take } from "@/lib/api";
import { lots, price } from "@/lib/format";
import { market as words } from "@/lib/strings";

type Idea = { id: string; created_at: string; status: string; side: string };
type Event = { key: string; at: string; title: string; currency: string; impact: string; all_day: boolean };
/** Something that happened at an instant, and where it is told of. */
export type Mark = { id: string; kind: "ideas" | "trades" | "events"; at: number; text: string; to: string | null; way: "up" | "down" | "none" };

const SESSION_COLOURS: Record<string, string> = { Sydney: "rgba(120,160,200,0.05)", Tokyo: "rgba(180,120,220,0.06)", London: "rgba(80,160,240,0.07)", NewYork: "rgba(240,160,80,0.06)" };
const DAY = 86_400;

/** Ideas, trades and events of a symbol; those of the calendar for its currencies, over the last 30 days of the bars. */
export function useMarks(symbol: string, currencies: readonly string[], last: number | undefined, digits: number) {
  const ideas = useQuery({ queryKey: ["trade-ideas", "of", symbol], queryFn: () => take(api.GET("/api/trade-ideas", { params: { query: { symbol, limit: 200 } } })) });
  const trades = useQuery({ queryKey: ["trades", "of", symbol], queryFn: () => take(api.GET("/api/trades", { params: { query: { symbol, limit: 200 } } })) });
  const day = last === undefined ? null : Math.floor(last / DAY) * DAY;
  const events = useQuery({
    queryKey: ["calendar", "around", day],
    enabled: day !== null,
    placeholderData: keepPreviousData,
    queryFn: () => {
      const [from, to] = [-30, 2].map((days) => new Date(((day ?? 0) + days * DAY) * 1000).toISOString());
      return take(api.GET("/api/calendar", { params: { query: { ...(from ? { from } : {}), ...(to ? { to } : {}) } } }));
    },
  });
  const marks = useMemo((): Mark[] => {
    const at = (iso: string): number => Date.parse(iso) / 1000;
    const of = (side: string): "up" | "down" => (side === "buy" || side === "long" ? "up" : "down");
    return [
      ...((ideas.data?.items ?? []) as Idea[]).map((one): Mark => ({
        id: `idea ${one.id}`, kind: "ideas", at: at(one.created_at), text: words.idea(one.side, one.status.replaceAll("_", " ")), to: `/ideas/${one.id}`, way: of(one.side),
      })),
      ...(trades.data?.items ?? []).flatMap((one): Mark[] => [
        { id: `in ${one.id}`, kind: "trades", at: at(one.entry_time), text: `${words.trade(one.side, lots(one.volume))} ${price(one.entry_price, digits)}`, to: `/ideas/${one.id}`, way: of(one.side) },
        { id: `out ${one.id}`, kind: "trades", at: at(one.exit_time), text: `${one.exit_reason.replaceAll("_", " ")} ${price(one.exit_price, digits)}`, to: `/ideas/${one.id}`, way: of(one.side) === "up" ? "down" : "up" },
      ]),
      ...((events.data?.events ?? []) as Event[])
        .filter((one) => currencies.includes(one.currency) && one.impact !== "low" && !one.all_day)
        .map((one): Mark => ({ id: `event ${one.key}`, kind: "events", at: at(one.at), text: `${one.currency} ${one.title}`, to: null, way: "none" })),
    ].sort((a, b) => a.at - b.at);
  }, [ideas.data, trades.data, events.data, currencies, digits]);
  return { marks, calendar: events.data };
}

/** Marks on their bars. What lies outside the bars is not drawn. */
export function drawn(chart: Chart, marks: readonly Mark[], seconds: number): SeriesMarker<Time>[] {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return marks.flatMap((mark): SeriesMarker<Time>[] => {
    const index = barAt(chart.utc, mark.at);
    const bar = chart.bars[index];
    if (!bar || mark.at >= (chart.utc[index] ?? 0) + seconds) return [];
    if (mark.kind === "events") return [{ id: mark.id, time: bar.time, position: "aboveBar", shape: "square", color: colour("--warn"), size: 0.7 }];
    const up = mark.way === "up";
    return [{
      id: mark.id, time: bar.time, position: up ? "belowBar" : "aboveBar", color: colour(up ? "--up" : "--down"),
      shape: mark.kind === "ideas" ? "circle" : up ? "arrowUp" : "arrowDown", size: mark.kind === "ideas" ? 0.8 : 1,
    }];
  });
}

export function sessionBands(chart: Chart, sessions: readonly SessionHours[]): Band[] {
  const from = Math.max(0, chart.utc.length - 3000);
  return inSessions(chart.utc.slice(from), sessions).flatMap((span): Band[] => {
    const [first, last] = [chart.bars[from + span.from], chart.bars[from + span.to]];
    return first && last ? [{ from: first.time, to: last.time, colour: SESSION_COLOURS[span.name] ?? "transparent" }] : [];
  });
}
