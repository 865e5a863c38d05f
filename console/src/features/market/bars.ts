import { useInfiniteQuery, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { asTime } from "./sessions";
import type { Bar } from "@/components/PriceChart";
import { api, take, type Schemas } from "@/lib/api";

export const TIMEFRAMES: readonly Schemas["Timeframe"][] = ["M1", "M2", "M3", "M4", "M5", "M6", "M10", "M12", "M15", "M20", "M30", "H1", "H2", "H3", "H4", "H6", "H8", "H12", "D1", "W1", "MN1"];
export type Chart = { utc: number[]; bars: Bar[] };
type Answer = Schemas["BarsAnswer"];

const read = (symbol: string, timeframe: Schemas["Timeframe"], count: number, cursor?: string): Promise<Answer> =>
  take(api.GET("/api/market/{symbol}/bars", { params: { path: { symbol }, query: { timeframe, count, ...(cursor ? { cursor } : {}) } } }));

/** Newest bars, read again every 5 s, before them all older pages that were asked for; drawn on the broker's clock or in UTC. */
export function useBars(symbol: string, timeframe: Schemas["Timeframe"], broker: boolean): { head: UseQueryResult<Answer>; chart: Chart; more: () => void; loading: boolean; all: boolean } {
  const head = useQuery({ queryKey: ["market", symbol, "bars", timeframe], queryFn: () => read(symbol, timeframe, 300), refetchInterval: 5000 });
  const older = useInfiniteQuery({
    queryKey: ["older", "market", symbol, timeframe],
    queryFn: ({ pageParam }) => read(symbol, timeframe, 2000, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => (last.count > 0 ? (last.next_cursor ?? undefined) : undefined),
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const newest = head.data?.time;
  const { data: past, refetch } = older;
  const made = useMemo(() => {
    const chart: Chart = { utc: [], bars: [] };
    const pages = past ? [...past.pages].reverse() : [];
    for (const page of head.data ? [...pages, head.data] : pages) {
      const { time, server_time: server, open, high, low, close } = page;
      time?.forEach((utc, index) => {
        if (utc <= (chart.utc.at(-1) ?? -Infinity)) return;
        chart.utc.push(utc);
        const shown = broker ? (server?.[index] ?? utc) : utc;
        chart.bars.push({ time: asTime(shown), open: open?.[index] ?? 0, high: high?.[index] ?? 0, low: low?.[index] ?? 0, close: close?.[index] ?? 0 });
      });
    }
    return chart;
    // oxlint-disable-next-line react/exhaustive-deps -- the age of the answer moves at each reading; bars do not
  }, [newest, past, broker]);
  const last = past?.pages[0]?.time?.at(-1);
  const gap = last !== undefined && newest?.[0] !== undefined && newest[0] > last;
  useEffect(() => {
    if (gap) void refetch();
  }, [gap, refetch]);
  const more = (): void => {
    if (older.hasNextPage && !older.isFetching) void older.fetchNextPage();
  };
  return { head, chart: made, more, loading: older.isFetchingNextPage, all: past !== undefined && !older.hasNextPage };
}
