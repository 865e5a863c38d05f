import { Button, Group as Row, SegmentedControl } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";
import type { Deal } from "./model";
import { sideOf } from "./Tables";
import { DataTable, type Column } from "@/components/DataTable";
import { Money, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { useClocks } from "@/lib/clock";
import { digitsOf, lots, price } from "@/lib/format";
import { common, positions as words } from "@/lib/strings";

const { col } = words;
const DAY = 86_400_000;
const COLUMNS: Column<Deal>[] = [
  { key: "time", title: col.time, value: ({ time }) => time, cell: ({ time }) => <RelativeTime past at={time} />, width: "116px" },
  { key: "symbol", title: col.symbol, value: ({ symbol }) => symbol, cell: ({ symbol }) => <b>{symbol || common.unknown}</b>, width: "92px" },
  { key: "type", title: col.type, value: ({ type }) => type, cell: ({ type }) => (type === "buy" || type === "sell" ? sideOf(type) : type), width: "88px" },
  { key: "entry", title: col.entry, value: ({ entry }) => entry, width: "72px" },
  { key: "lots", title: col.lots, value: ({ volume }) => volume, cell: ({ volume, symbol }) => (symbol ? lots(volume) : common.unknown), right: true, width: "88px" },
  { key: "price", title: col.price, value: (one) => one.price, cell: (one) => price(one.price, one.price === null ? 0 : digitsOf(one.price)), right: true, width: "96px" },
  { key: "profit", title: col.profit, value: ({ profit }) => profit, cell: ({ profit }) => <Money value={profit} />, right: true, width: "100px" },
  { key: "costs", title: col.commission, value: ({ commission, fee }) => commission + fee, cell: ({ commission, fee }) => <Money value={commission + fee} />, right: true, width: "88px" },
  { key: "swap", title: col.swap, value: ({ swap }) => swap, cell: ({ swap }) => <Money value={swap} />, right: true, width: "80px" },
  { key: "net", title: col.net, value: ({ net }) => net, cell: ({ net }) => <b><Money value={net} /></b>, right: true, width: "104px" },
  { key: "reason", title: col.reason, value: ({ reason }) => reason, width: "92px" },
  { key: "position", title: col.position, value: ({ position_id }) => position_id, cell: ({ position_id }) => (position_id ? <Link to="/positions" search={{ tab: "deals", position: position_id }}>{position_id}</Link> : common.unknown), right: true, width: "92px" },
  { key: "comment", title: col.comment, value: ({ comment }) => comment, cell: ({ comment }) => <span className="dim">{comment}</span>, width: "minmax(110px, 1fr)", wide: true },
];

/** Executions and bookings of money, of a time or of one position. */
export function Deals(props: {
  days: string;
  position: number | null;
  change: (wanted: Record<"days" | "position", string | null>) => void;
  filter: (rows: readonly Deal[]) => Deal[];
}): ReactNode {
  const { days, position, change, filter } = props;
  const { deskAhead } = useClocks();
  const span = Object.hasOwn(words.days, days) ? days : "30";
  const query = useInfiniteQuery({
    queryKey: ["deals", position, span, Math.round(deskAhead / DAY)],
    queryFn: ({ pageParam }) => take(api.GET("/api/deals", { params: { query: { limit: 500, ...(position ? { position } : { since: new Date(Date.now() + deskAhead - Number(span) * DAY).toISOString() }), ...(pageParam && { cursor: pageParam }) } } })),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor,
    refetchInterval: 10_000,
  });
  const rows = useMemo(() => query.data?.pages.flatMap(({ items }) => items) ?? [], [query.data]);
  const shown = filter(rows);
  return (
    <>
      <Row gap={8} mb={8}>
        {position ? <Button size="compact-xs" variant="light" onClick={() => change({ position: null, days: days || null })}>{words.position} {position} ×</Button>
          : <SegmentedControl size="xs" aria-label={words.since} value={span} onChange={(value) => change({ days: value, position: null })} data={Object.entries(words.days).map(([value, label]) => ({ value, label }))} />}
      </Row>
      <StateOf query={query} what={words.tabs.deals} height={240} isEmpty={() => shown.length === 0} empty={words.noDeals}>
        {() => <DataTable label={words.tabs.deals} rows={shown} columns={COLUMNS} id={({ ticket }) => ticket} height="calc(100dvh - 290px)" onEnd={() => {
          if (query.hasNextPage && !query.isFetchingNextPage) void query.fetchNextPage();
        }} />}
      </StateOf>
    </>
  );
}
