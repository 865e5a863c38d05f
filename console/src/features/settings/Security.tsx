import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { Head } from "./shared";
import { DataTable, type Column } from "@/components/DataTable";
import { Moment } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { asText } from "@/lib/format";
import { settings } from "@/lib/strings";

const words = settings.security;
const AT_ONCE = 200;
type Event = Record<string, unknown>;
const text = (value: unknown): string => (value === null || value === undefined ? "" : asText(value));
const rest = (event: Event): string =>
  Object.entries(event).filter(([key, value]) => !["seq", "at", "actor", "event"].includes(key) && value !== null && value !== "").map(([key, value]) => `${key.replaceAll("_", " ")}: ${text(value)}`).join(" · ");

const COLUMNS: readonly Column<Event>[] = [
  { key: "at", title: words.at, width: "140px", value: ({ at }) => text(at), cell: ({ at }) => <Moment at={text(at)} /> },
  { key: "actor", title: words.actor, width: "120px", value: ({ actor }) => text(actor), cell: ({ actor }) => <b>{text(actor)}</b> },
  { key: "event", title: words.event, width: "200px", value: ({ event }) => text(event), cell: ({ event }) => text(event).replaceAll("_", " ") },
  { key: "about", title: words.about2, value: rest, cell: (event) => <span title={rest(event)}>{rest(event)}</span>, wide: true },
];

/** Who signed in, who was refused, what changed of users, tokens and secrets. */
export function Security(): ReactNode {
  const query = useInfiniteQuery({
    queryKey: ["security", "events"],
    queryFn: ({ pageParam }) => take(api.GET("/api/security/events", { params: { query: { limit: AT_ONCE, ...(pageParam ? { before: pageParam } : {}) } } })),
    initialPageParam: 0,
    getNextPageParam: ({ events }) => (events.length < AT_ONCE ? undefined : Number(events.at(-1)?.["seq"])),
  });
  const rows = useMemo(() => query.data?.pages.flatMap(({ events }) => events) ?? [], [query.data]);
  return (
    <>
      <Head title={settings.sections.security} about={words.about} />
      <StateOf query={query} what={settings.sections.security} height={300} isEmpty={() => rows.length === 0} empty={words.none}>
        {() => (
          <DataTable label={settings.sections.security} rows={rows} columns={COLUMNS} id={({ seq }) => Number(seq)} height="calc(100dvh - 220px)"
            onEnd={() => {
              if (query.hasNextPage && !query.isFetching) void query.fetchNextPage();
            }} />
        )}
      </StateOf>
    </>
  );
}
