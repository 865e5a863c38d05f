import "./calendar.css";
import { Button, Chip, Drawer, Group, Select, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, type ReactNode } from "react";
import { Days } from "./Days";
import { against, differences, eventsOf, pausesOf, stamp, type Event } from "./model";
import { Pauses, usePauses } from "./Pauses";
import { DataTable, type Column } from "@/components/DataTable";
import { FilterText } from "@/components/FilterText";
import { Moment, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, idempotencyKey, take } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useMoment } from "@/lib/moment";
import { useWrite } from "@/lib/mutation";
import { status } from "@/lib/queries";
import { calendar as words, common } from "@/lib/strings";

const FILTERS = ["day", "impact", "currency", "text", "as_of", "reach", "event"] as const;
const IMPACTS = ["high", "medium", "low", "holiday", "none"] as const;
const DAY = 86_400_000;
/** Of the filter of days, whose absence means from today on. */
const ALL = "all";

const calendarAt = (as_of: string | null) => ({
  queryKey: ["calendar", "events", as_of ?? "now"],
  queryFn: () => take(api.GET("/api/calendar", { params: { query: as_of === null ? {} : { as_of } } })),
  refetchInterval: 60_000,
});

/** Which enabled symbols a currency moves, by the specifications that the broker stated. */
function useSymbols(): Map<string, string[]> {
  const { data: desk } = useQuery(status);
  const names = useMemo(() => desk?.symbols ?? [], [desk]);
  const { data } = useQuery({
    queryKey: ["symbol-currencies", ...names],
    queryFn: async () => {
      const told = await Promise.all(names.map((symbol) => take(api.GET("/api/market/{symbol}", { params: { path: { symbol } } })).catch(() => null)));
      return told.flatMap((one) => (one?.specification ? [{ symbol: one.symbol, of: [one.specification.instrument["currency_base"], one.specification.instrument["currency_profit"]] }] : []));
    },
    enabled: names.length > 0,
    staleTime: Infinity,
  });
  return useMemo(() => {
    const found = new Map<string, string[]>();
    for (const { symbol, of } of data ?? []) for (const currency of new Set(of)) if (typeof currency === "string") found.set(currency, [...(found.get(currency) ?? []), symbol]);
    return found;
  }, [data]);
}

/** What is announced, what came of it, whom it concerns, and when entries pause for it. */
export function Page(): ReactNode {
  const [filters, change] = useFilters(FILTERS);
  const { day, impact, currency, text } = filters;
  const hours = Object.hasOwn(words.reaches, filters.reach) ? Number(filters.reach) : 12;
  const asked = filters.as_of ? `${filters.as_of}${filters.as_of.length === 16 ? ":00" : ""}Z` : null;
  const query = useQuery(calendarAt(asked));
  const { data: now } = useQuery(calendarAt(null));
  const yesterday = now ? new Date(Math.floor((Date.parse(now.as_of) - DAY) / 60_000) * 60_000).toISOString() : null;
  const { data: earlier } = useQuery({ ...calendarAt(yesterday), enabled: asked === null && yesterday !== null && now?.events != null, staleTime: 600_000, refetchInterval: false });
  const symbols = useSymbols();
  const events = useMemo(() => eventsOf(query.data), [query.data]);
  const changes = useMemo((): Map<string, string[]> => {
    if (asked !== null) return differences(events, eventsOf(now), "earlier");
    return earlier?.events ? differences(eventsOf(earlier), events, "later") : new Map<string, string[]>();
  }, [asked, events, now, earlier]);
  const chosen = useMemo(() => (impact ? impact.split(" ") : []), [impact]);
  const passing = useMemo(
    () => events.filter((one) => (chosen.length === 0 || chosen.includes(one.impact)) && (!currency || one.currency === currency || one.currency === "ALL") && one.title.toLowerCase().includes(text.toLowerCase())),
    [events, chosen, currency, text],
  );
  const { text: told } = useMoment();
  const dayOf = useCallback((at: string) => told(at).slice(0, 10), [told]);
  const today = query.data ? dayOf(query.data.as_of) : "";
  const shown = useMemo(() => passing.filter(({ at }) => day === ALL || (day === "" ? dayOf(at) >= today : dayOf(at) === day)), [passing, day, dayOf, today]);
  const columns = useMemo(() => columnsOf(symbols, changes, dayOf), [symbols, changes, dayOf]);
  const open = events.find(({ key }) => key === filters.event);
  return (
    <>
      <h1 className="away">{words.title}</h1>
      <div className="grid12">
        <Pauses hours={hours} reach={(value) => change({ reach: value === "12" ? null : value })} open={(key) => change({ event: key })} />
      </div>
      <Group gap={10} align="end" my={12} className="filters">
        <FilterText label={words.search} value={text} onChange={(value) => change({ text: value })} search />
        <Select size="xs" w={110} label={words.currency} placeholder={words.all} clearable value={currency || null} onChange={(value) => change({ currency: value })} data={[...new Set(events.map((one) => one.currency))].filter((one) => one !== "ALL").sort()} />
        <TextInput size="xs" type="datetime-local" label={words.asOf} value={filters.as_of} onChange={(event) => change({ as_of: event.currentTarget.value })} />
        <div>
          <div className="small" id="impacts">{words.impact}</div>
          <Chip.Group multiple value={chosen} onChange={(value) => change({ impact: value.join(" ") })}>
            <Group gap={4} role="group" aria-labelledby="impacts">{IMPACTS.map((one) => <Chip key={one} value={one} size="xs" variant="outline">{words.impacts[one]}</Chip>)}</Group>
          </Chip.Group>
        </div>
        {FILTERS.some((name) => name !== "reach" && name !== "event" && filters[name] !== "") && <Button size="xs" variant="subtle" onClick={() => change({ day: null, impact: null, currency: null, text: null, as_of: null })}>{words.clear}</Button>}
        <Update />
      </Group>
      <StateOf query={query} what={words.title} height={400}>
        {(data) => (
          <>
            <div className="small dim" style={{ marginBottom: 8 }}>
              {!data.known && <span className="warn" role="status">{words.unknown(data.reason ?? "")} </span>}
              {data.provider && <>{words.source(data.provider)}, {words.looked} <RelativeTime at={data.fetched_at} />{data.covered_from && data.covered_to && <>, {words.covered(stamp(data.covered_from), stamp(data.covered_to))}</>}. </>}
              {data.stale && <span className="warn">{words.stale}. </span>}
              {asked === null ? words.recent : <span className="warn">{words.historic}</span>}
            </div>
            {data.events !== null && (
              <>
                <Days events={passing} dayOf={dayOf} today={today} day={day} pick={(value) => change({ day: value })} />
                {shown.length === 0 && <p className="dim">{events.length === 0 ? words.noneYet : words.none}</p>}
                {shown.length > 0 && <DataTable label={words.events} rows={shown} columns={columns} id={(one) => one.key} height="56vh" onOpen={(one) => change({ event: one.key })} />}
              </>
            )}
          </>
        )}
      </StateOf>
      <Drawer opened={open !== undefined} onClose={() => change({ event: null })} position="right" size={480} title={open ? `${open.currency} ${open.title}` : ""}>
        {open && <Details event={open} hours={hours} symbols={symbols.get(open.currency) ?? []} changes={changes.get(open.key) ?? []} />}
      </Drawer>
    </>
  );
}

function columnsOf(symbols: Map<string, string[]>, changes: Map<string, string[]>, dayOf: (at: string) => string): readonly Column<Event>[] {
  const moved = (one: Event): string => (one.currency === "ALL" ? words.allSymbols : (symbols.get(one.currency) ?? []).join(" "));
  return [
    { key: "at", title: words.at, value: (one) => one.at, width: "152px", cell: (one) => (one.all_day ? <span className="num">{dayOf(one.at)} {words.allDay}</span> : <Moment at={one.at} />) },
    { key: "when", title: words.countdown, value: (one) => one.at, width: "144px", cell: (one) => (one.all_day ? common.unknown : <RelativeTime at={one.at} />) },
    { key: "currency", title: words.currency, value: (one) => one.currency, width: "96px", cell: (one) => <b>{one.currency}</b> },
    { key: "impact", title: words.impact, value: (one) => one.impact, width: "92px", cell: (one) => <span className="impact" data-impact={one.impact}>{words.impacts[one.impact]}</span> },
    { key: "title", title: words.event, value: (one) => one.title, width: "minmax(170px, 1.5fr)", wide: true, cell: (one) => <>{one.title} {one.tentative && <span className="warn small">{words.tentative}</span>}{one.hindsight === true && <span className="dim small">{words.hindsight}</span>}</> },
    { key: "actual", title: words.actual, value: (one) => one.actual, width: "90px", right: true, cell: (one) => <Actual event={one} /> },
    { key: "forecast", title: words.forecast, value: (one) => one.forecast, width: "90px", right: true },
    { key: "previous", title: words.previous, value: (one) => one.previous, width: "90px", right: true },
    { key: "symbols", title: words.symbols, value: moved, width: "minmax(110px, 1fr)", wide: true, cell: (one) => <span className="dim" title={moved(one)}>{moved(one)}</span> },
    { key: "changed", title: words.changed, value: (one) => changes.get(one.key)?.join("; ") ?? null, width: "minmax(110px, 1fr)", wide: true, cell: (one) => <span className="warn" title={changes.get(one.key)?.join("; ")}>{changes.get(one.key)?.join("; ")}</span> },
  ];
}

function Actual({ event }: { event: Event }): ReactNode {
  if (event.actual === null) return common.unknown;
  const side = against(event.actual, event.forecast);
  return <b className={side === 1 ? "up" : side === -1 ? "down" : ""}>{side === 1 ? "▲ " : side === -1 ? "▼ " : ""}{event.actual}</b>;
}

function Details({ event, hours, symbols, changes }: { event: Event; hours: number; symbols: string[]; changes: string[] }): ReactNode {
  const { data } = usePauses(hours);
  const pauses = data ? pausesOf(data).filter((one) => one.event.key === event.key) : [];
  const facts: [string, ReactNode][] = [
    [words.at, <span key="at"><Moment at={event.at} />{event.all_day && `, ${words.allDay}`}{event.tentative && `, ${words.tentative}`}</span>], [words.countdown, <RelativeTime key="when" at={event.at} />], [words.impact, words.impacts[event.impact]],
    [words.actual, <Actual key="actual" event={event} />], [words.forecast, event.forecast ?? common.unknown], [words.previous, event.previous ?? common.unknown],
    [words.symbols, event.currency === "ALL" ? words.allSymbols : symbols.join(" ") || common.unknown], [words.changed, changes.join("; ") || common.unknown],
    [words.firstSeen, <RelativeTime key="seen" at={event.first_seen_at} />], [words.provider, event.source],
  ];
  return (
    <>
      <dl className="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd className="num">{value}</dd></div>)}</dl>
      <h2 className="plain" style={{ marginTop: 14 }}>{words.pausesThis}</h2>
      {pauses.length === 0 && <div className="dim">{words.pausesNothing}</div>}
      {pauses.map((one) => <div key={one.symbol} className="row"><span className="what"><span className={one.on ? "warn" : ""}>{one.text}</span><div className="dim">{one.pauses.join(", ")}</div></span></div>)}
    </>
  );
}

function Update(): ReactNode {
  const may = useMay();
  const write = useWrite(() => take(api.POST("/api/celery/tasks/data/update-calendar", { params: { header: { "Idempotency-Key": idempotencyKey() } } })), {
    nouns: ["tasks", "calendar"], done: () => notifications.show({ message: words.updating }),
  });
  if (!may.trade) return null;
  return <Button size="xs" variant="default" ml="auto" loading={write.isPending} onClick={() => write.mutate(undefined)}>{words.update}</Button>;
}
