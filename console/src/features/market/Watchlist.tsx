import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { KeyboardEvent, ReactNode } from "react";
import { Price } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, DeskError, take, type Schemas } from "@/lib/api";
import { clock, duration, percent, price } from "@/lib/format";
import * as read from "@/lib/queries";
import { common, market as words } from "@/lib/strings";

const STALE = 60;
/** A symbol that the broker does not have is asked for seldom. */
const UNKNOWN_MS = 60_000;
const USUAL_BARS = 96;

export const useEmbargoes = () =>
  useQuery({ queryKey: ["calendar", "embargoes", 12], queryFn: () => take(api.GET("/api/calendar/embargoes", { params: { query: { hours: 12 } } })), refetchInterval: 60_000 });

export const useSymbol = (symbol: string) =>
  useQuery({ queryKey: ["market", symbol, "page"], queryFn: () => take(api.GET("/api/market/{symbol}", { params: { path: { symbol } } })), refetchInterval: 30_000 });

export const useQuote = (symbol: string) =>
  useQuery({ queryKey: ["market", symbol, "quote"], queryFn: () => take(api.GET("/api/market/{symbol}/quote", { params: { path: { symbol } } })), refetchInterval: ({ state }) => (state.error instanceof DeskError && state.error.status === 404 ? UNKNOWN_MS : 2000) });

const useColumns = (symbol: string, timeframe: Schemas["Timeframe"], count: number) =>
  useQuery({
    queryKey: ["market", symbol, "columns", timeframe, count],
    queryFn: () => take(api.GET("/api/market/{symbol}/bars", { params: { path: { symbol }, query: { timeframe, count } } })),
    refetchInterval: 60_000,
  });

/** The middle of what is known; null where nothing is. */
function median(values: readonly number[]): number | null {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const [high, low] = [sorted[half], sorted[half - 1]];
  if (high === undefined) return null;
  return sorted.length % 2 === 1 || low === undefined ? high : (low + high) / 2;
}

/** Every enabled symbol with its price; the chosen one is marked. */
export function Watchlist({ chosen }: { chosen: string }): ReactNode {
  const status = useQuery(read.status);
  const keys = (event: KeyboardEvent<HTMLElement>): void => {
    const step = event.key === "j" || event.key === "ArrowDown" ? 1 : event.key === "k" || event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const links = [...event.currentTarget.querySelectorAll<HTMLElement>("a")];
    const at = links.indexOf(document.activeElement as HTMLElement);
    links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
  };
  return (
    <StateOf query={status} what={words.watchlist} height={240} isEmpty={({ symbols }) => symbols.length === 0} empty={words.noSymbols}>
      {({ symbols }) => (
        <nav className="watch" aria-label={words.watchlist} onKeyDown={keys}>
          <div className="watchrow dim" aria-hidden><span>{words.symbol}</span><span>{words.bid}</span><span>{words.ask}</span><span>{words.day}</span></div>
          {symbols.map((symbol) => <Row key={symbol} symbol={symbol} chosen={symbol === chosen} />)}
        </nav>
      )}
    </StateOf>
  );
}

function Row({ symbol, chosen }: { symbol: string; chosen: boolean }): ReactNode {
  const quote = useQuote(symbol);
  const days = useColumns(symbol, "D1", 2);
  const quarters = useColumns(symbol, "M15", USUAL_BARS);
  const embargoes = useEmbargoes();
  const { data } = quote;
  const digits = data ? (data.bid.split(".")[1] ?? "").length : 5;
  const failed = quote.error ? quote.error.message : undefined;
  const old = !data || failed !== undefined || data.age_seconds > STALE;
  const close = days.data?.close?.at(-1);
  const change = data && close ? Number(data.bid) / close - 1 : null;
  return (
    <Link to="/market/$symbol" params={{ symbol }} search={true} className="watchrow" aria-current={chosen ? "page" : undefined} title={failed ?? (data && old ? words.quoteOld(duration(data.age_seconds)) : undefined)}>
      <b>{symbol}</b>
      <span className={old ? "dim" : ""}><Price value={data ? Number(data.bid) : null} digits={digits} /></span>
      <span className={old ? "dim" : ""}><Price value={data ? Number(data.ask) : null} digits={digits} /></span>
      <span className={`num ${change === null || change === 0 ? "" : change > 0 ? "up" : "down"}`} title={close === undefined ? words.dayUnknown : words.dayTip(price(close, digits))}>
        {change === null ? common.unknown : `${change > 0 ? "▲" : change < 0 ? "▼" : ""} ${percent(change, 2, true)}`}
      </span>
      <Spread quote={data} digits={digits} spreads={quarters.data?.spread ?? []} />
      <Embargo data={embargoes.data} symbol={symbol} />
    </Link>
  );
}

function Spread({ quote, digits, spreads }: { quote: Schemas["QuoteAnswer"] | undefined; digits: number; spreads: readonly number[] }): ReactNode {
  const points = quote ? Math.round(Number(quote.spread) * 10 ** digits) : null;
  const usual = median(spreads);
  const times = points !== null && usual !== null ? points / usual : null;
  return (
    <span className="num dim watchsub" title={points === null || usual === null ? words.usualUnknown : words.usualTip(String(points), String(usual), spreads.length)}>
      {words.spread} {points ?? common.unknown} <span className={times !== null && times >= 2 ? "warn" : ""}>{times === null ? "" : words.usual(times.toFixed(1))}</span>
    </span>
  );
}

type Window = { symbol: string; start: string; on: boolean; text: string };

function Embargo({ data, symbol }: { data: Schemas["Embargoes"] | undefined; symbol: string }): ReactNode {
  if (!data) return <span />;
  if (!data.known) return <span className="dim watchend" title={words.embargoUnknown(data.reason ?? "")}>{words.embargo} {common.unknown}</span>;
  const next = (data.windows as Window[]).find((one) => one.symbol === symbol);
  if (!next) return <span />;
  const from = `${clock(Date.parse(next.start), 0, { date: false, seconds: false })} UTC`;
  return <span className={`watchend ${next.on ? "warn" : "dim"}`} title={next.text}>{next.on ? `● ${words.embargo}` : `${words.embargo} ${from}`}</span>;
}
