import { useInfiniteQuery, type UseInfiniteQueryResult } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { journal as words } from "@/lib/strings";

export type Trade = Schemas["TradeRow"];
export const NAMES = ["view", "symbol", "strategy", "side", "reason", "tag", "since", "until", "by", "trade", "day"] as const;
/** In the address for trades of persons and without a tag, since an empty filter is none. */
export const WITHOUT = "-";
const AT_ONCE = 500;
const BY_ITSELF = 10_000;

export const useJournal = () => useFilters(NAMES);
type Filters = ReturnType<typeof useJournal>[0];

const midnight = (day: string): string | undefined => (/^\d{4}-\d\d-\d\d$/.test(day) ? `${day}T00:00:00Z` : undefined);
const given = (text: string): string | undefined => (text === "" ? undefined : text === WITHOUT ? "" : text);

/** What the desk is asked for, of the filters in the address. */
export function wanted(filters: Filters): Record<string, string> {
  const { symbol, strategy, side, reason, tag, since, until } = filters;
  const asked: Record<string, string | undefined> = {
    symbol: symbol || undefined, strategy: given(strategy), side: side || undefined, exit_reason: reason || undefined, tag: given(tag),
    since: midnight(since), until: midnight(until),
  };
  return Object.fromEntries(Object.entries(asked).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

type Page = Schemas["TradeList"];
type Shown = { query: UseInfiniteQueryResult<{ pages: Page[] }>; rows: readonly Trade[]; problems: number; more: boolean };

/** Closed trades that fit, newest first: pages are read until all are here, or so many that a person must ask for more. */
export function useTrades(filters: Filters): Shown {
  const asked = wanted(filters);
  const query = useInfiniteQuery({
    queryKey: ["trades", "list", asked],
    queryFn: ({ pageParam }) => take(api.GET("/api/trades", { params: { query: { ...asked, limit: AT_ONCE, ...(pageParam ? { cursor: pageParam } : {}) } as never } })),
    initialPageParam: "",
    getNextPageParam: (last: Page) => last.next_cursor ?? undefined,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const { hasNextPage, isFetching, fetchNextPage, isError } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError && rows.length < BY_ITSELF) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, rows.length, fetchNextPage]);
  return { query, rows, problems: query.data?.pages[0]?.problems.length ?? 0, more: hasNextPage };
}

export const sideOf = (side: Trade["side"]): string => (side === "long" ? words.long : words.short);
export const heldFor = ({ entry_time, exit_time }: Trade): number | null => {
  const seconds = (Date.parse(exit_time) - Date.parse(entry_time)) / 1000;
  return Number.isFinite(seconds) ? seconds : null;
};

const STEP = 0.5;
/** Trades by R in steps of 0.5, from the least to the greatest, empty steps among them. */
export function histogram(values: readonly number[]): { from: number; count: number }[] {
  const counts = new Map<number, number>();
  for (const value of values) {
    const step = Math.floor(value / STEP + 1e-9);
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  const steps = [...counts.keys()];
  const [low, high] = [Math.min(...steps), Math.max(...steps)];
  if (steps.length === 0 || high - low > 400) return [...counts].sort(([a], [b]) => a - b).map(([step, count]) => ({ from: step * STEP, count }));
  return Array.from({ length: high - low + 1 }, (_, index) => ({ from: (low + index) * STEP, count: counts.get(low + index) ?? 0 }));
}

/** The sum of the known results after each closing, the oldest first. */
export function sums(rows: readonly Trade[]): [number, number][] {
  let sum = 0;
  return rows
    .flatMap(({ exit_time, net }) => (net === null ? [] : [[Date.parse(exit_time), net] as const]))
    .sort(([a], [b]) => a - b)
    .map(([at, net]) => [at, (sum = Math.round((sum + net) * 1e8) / 1e8)]);
}
