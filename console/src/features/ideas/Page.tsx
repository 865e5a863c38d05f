import "./ideas.css";
import { Button, Group as Row, Select, Tabs } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, type ReactNode } from "react";
import { Detail } from "./Detail";
import { IdeaList, IdeaTable } from "./List";
import { GROUPS, groupOf, inGroup, type Group, type Idea } from "./model";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import * as read from "@/lib/queries";
import { ideas as words } from "@/lib/strings";

const PAGE = 100;
const FILTERS = ["tab", "symbol", "strategy", "side", "origin", "since", "until"] as const;

/** Every idea by where it stands, and one of them beside the list. */
export function Page(): ReactNode {
  const [filters, change] = useFilters(FILTERS);
  const params: Record<string, string | undefined> = useParams({ strict: false });
  const open = params["id"];
  const navigate = useNavigate();
  const group = groupOf(filters.tab);
  const { symbol, strategy, side, origin, since, until } = filters;
  const query = useInfiniteQuery({
    queryKey: ["trade-ideas", "list", group, symbol, strategy, side, origin, since, until],
    queryFn: ({ pageParam }) =>
      take(api.GET("/api/trade-ideas", {
        params: {
          query: {
            status: [...GROUPS[group]], limit: PAGE,
            ...(symbol && { symbol }), ...(strategy && { strategy }), ...(side && { side: side as Schemas["Side"] }),
            ...(origin && { origin: origin as "strategy" | "manual" }),
            ...(since && { since: `${since}T00:00:00Z` }), ...(until && { until: `${until}T00:00:00Z` }), ...(pageParam && { cursor: pageParam }),
          },
        },
      })),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor,
    refetchInterval: group === "waiting" ? 5000 : 15_000,
    placeholderData: (before, asked) => (asked?.queryKey[2] === group ? before : undefined),
  });
  const pages = query.data?.pages;
  const items = useMemo(() => pages?.flatMap(({ items: found }) => found as unknown as Idea[]) ?? [], [pages]);
  const first = pages?.[0];
  useArrivals(group, items);
  const go = useCallback(
    (id: string | undefined) => void navigate({ to: id === undefined ? "/ideas" : `/ideas/${id}`, search: ((before: object) => before) }),
    [navigate],
  );
  useListKeys(items, open, go);
  const filtered = [symbol, strategy, side, origin, since, until].some((one) => one !== "");
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetchingNextPage]);
  return (
    <div className={open === undefined ? "" : "ideas-open"}>
      <div className="ideas-list">
        <h1 className="pagetitle">{words.title}</h1>
        <Tabs value={group} onChange={(tab) => change({ tab: tab === "waiting" ? null : tab })}>
          <Tabs.List>
            {(Object.keys(GROUPS) as Group[]).map((one) => (
              <Tabs.Tab key={one} value={one} px={10} py={7}>
                {words.tabs[one]} <span className={`num ${one === "waiting" && (inGroup(one, first?.counts) ?? 0) > 0 ? "warn" : "dim"}`}>{inGroup(one, first?.counts) ?? "…"}</span>
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value={group} pt={8}>
            <Filters filters={filters} change={change} />
            {first && first.problems.length > 0 && <div className="warn" title={JSON.stringify(first.problems)}>{words.unreadable(first.problems.length)}</div>}
            <StateOf
              query={query} what={words.list} height={320} isEmpty={() => items.length === 0}
              empty={filtered ? (
                <Row gap={8}>{words.filtered} <Button size="compact-xs" variant="default" onClick={() => change({ symbol: null, strategy: null, side: null, origin: null, since: null, until: null })}>{words.clear}</Button></Row>
              ) : words.empty[group]}
            >
              {() => open === undefined
                ? <IdeaTable ideas={items} group={group} open={go} more={more} />
                : <IdeaList ideas={items} at={open} more={hasNextPage ? more : undefined} />}
            </StateOf>
          </Tabs.Panel>
        </Tabs>
      </div>
      {open !== undefined && <Detail key={open} id={open} back={() => go(undefined)} />}
    </div>
  );
}

function Filters(props: { filters: Readonly<Record<(typeof FILTERS)[number], string>>; change: (wanted: Record<string, string | null>) => void }): ReactNode {
  const { filters, change } = props;
  const { data: status } = useQuery(read.status);
  const { data: strategies } = useQuery({ queryKey: ["strategies", "names"], queryFn: () => take(api.GET("/api/strategies")), staleTime: 60_000 });
  const options = (known: readonly string[], chosen: string): string[] => [...new Set([...known, ...(chosen ? [chosen] : [])])].sort();
  const select = (name: "symbol" | "strategy" | "side" | "origin", label: string, all: string, data: { value: string; label: string }[] | string[], width: number): ReactNode => (
    <Select size="xs" w={width} aria-label={label} placeholder={all} clearable searchable={name === "symbol" || name === "strategy"} data={data}
      value={filters[name] || null} onChange={(value) => change({ [name]: value })} />
  );
  return (
    <Row gap={6} mb={8} className="ideas-filters">
      {select("symbol", words.symbol, words.allSymbols, options(status?.symbols ?? [], filters.symbol), 120)}
      {select("strategy", words.strategy, words.allStrategies, options(strategies?.strategies.map((one) => String(one["id"])) ?? [], filters.strategy), 190)}
      {select("side", words.side, words.bothSides, ["buy", "sell"], 104)}
      {select("origin", words.origin, words.anyOrigin, Object.entries(words.origins).map(([value, label]) => ({ value, label })), 116)}
      {(["since", "until"] as const).map((name) => (
        <label key={name} className="dim ideas-date">{words[name]} <input type="date" value={filters[name]} aria-label={words[name]} onChange={(event) => change({ [name]: event.currentTarget.value || null })} /></label>
      ))}
    </Row>
  );
}

/** Tells of an idea that comes in while one looks. */
function useArrivals(group: Group, items: readonly Idea[]): void {
  const seen = useRef<Set<string> | null>(null);
  const { data } = useQuery(read.waiting);
  useEffect(() => {
    if (!data) return;
    const now = new Set(data.pending.map((idea) => String(idea["id"])));
    const before = seen.current;
    seen.current = now;
    if (before === null) return;
    for (const idea of data.pending as unknown as Idea[])
      if (!before.has(idea.id)) notifications.show({ color: "yellow", message: words.arrived(`${idea.symbol} ${idea.timeframe ?? ""} ${idea.side}`) });
  }, [data, group, items]);
}

/** j and k open the next and the previous idea, Esc goes back to the whole list. */
function useListKeys(items: readonly Idea[], open: string | undefined, go: (id: string | undefined) => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement | null;
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('[role="dialog"]')) return;
      if (target && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) return;
      if (event.key === "Escape" && open !== undefined) go(undefined);
      const step = event.key === "j" ? 1 : event.key === "k" ? -1 : 0;
      if (step === 0 || items.length === 0) return;
      const at = items.findIndex(({ id }) => id === open);
      const next = items[at < 0 ? 0 : Math.min(items.length - 1, Math.max(0, at + step))];
      if (next && next.id !== open) go(next.id);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [items, open, go]);
}
