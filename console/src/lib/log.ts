import { useInfiniteQuery, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";

type Paged = { next_cursor: string | null };

/**
 * A list of the newest first that grows at its top: the first page is read again whenever `noun` is stale
 * (and every `every` ms), older pages only once.
 *
 * noun, filters: the key. page: reads one. rows, id: of a page and of a row. The state to show is `head`.
 */
export function useLog<Page extends Paged, Row>(options: {
  noun: string;
  filters: readonly string[];
  page: (cursor: string | undefined) => Promise<Page>;
  rows: (page: Page) => readonly Row[];
  id: (row: Row) => string;
  every: number;
}): { head: UseQueryResult<Page>; rows: readonly Row[]; more: () => void; all: boolean } {
  const { noun, filters, page, rows, id, every } = options;
  const head = useQuery({ queryKey: [noun, "head", ...filters], queryFn: () => page(undefined), refetchInterval: every });
  const older = useInfiniteQuery({
    queryKey: ["older", noun, ...filters],
    queryFn: ({ pageParam }) => page(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: Page) => last.next_cursor ?? undefined,
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const merged = useMemo(() => {
    const newest = head.data ? rows(head.data) : [];
    const seen = new Set(newest.map(id));
    const rest = older.data?.pages.flatMap((one) => rows(one)) ?? [];
    const joined = rest.length === 0 || newest.length === 0 || rest.some((row) => seen.has(id(row)));
    return { joined, list: joined ? [...newest, ...rest.filter((row) => !seen.has(id(row)))] : newest };
  }, [head.data, older.data, rows, id]);
  const { refetch } = older;
  useEffect(() => {
    if (!merged.joined) void refetch(); // more came than a page holds: what lies between is not known
  }, [merged.joined, refetch]);
  return {
    head,
    rows: merged.list,
    more: () => {
      if (older.hasNextPage && !older.isFetching) void older.fetchNextPage();
    },
    all: !older.hasNextPage,
  };
}
