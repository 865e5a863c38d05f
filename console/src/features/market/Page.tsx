import "./market.css";
import { Chip, Group, SegmentedControl, Select } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useEffect, useMemo, useState, type ReactNode } from "react";
import { TIMEFRAMES } from "./bars";
import { Explained } from "./Explained";
import { useMarks } from "./marks";
import { Panel, secondsOf } from "./Panel";
import { useSymbol, Watchlist } from "./Watchlist";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { clock } from "@/lib/format";
import * as read from "@/lib/queries";
import { common, market as words } from "@/lib/strings";

const LAYERS = ["sessions", "events", "ideas", "trades"] as const;
type Timeframe = Schemas["Timeframe"];
const known = (text: string): Timeframe | null => TIMEFRAMES.find((one) => one === text) ?? null;

export function Page(): ReactNode {
  const { symbol }: { symbol?: string } = useParams({ strict: false });
  const { data: status } = useQuery(read.status);
  const navigate = useNavigate();
  const first = status?.symbols[0];
  useEffect(() => {
    if (!symbol && first) void navigate({ to: "/market/$symbol", params: { symbol: first }, search: true, replace: true });
  }, [symbol, first, navigate]);
  return (
    <>
      <h1 className="pagetitle">{words.title} {symbol && <span className="dim">{symbol}</span>}</h1>
      <div className="market">
        <aside className="card"><h2>{words.watchlist}</h2><Watchlist chosen={symbol ?? ""} /></aside>
        <div>{symbol && <Symbol key={symbol} symbol={symbol} />}</div>
      </div>
    </>
  );
}

function Symbol({ symbol }: { symbol: string }): ReactNode {
  const [filters, change] = useFilters(["tf", "tf2", "strategy", "clock", "hide", "at"]);
  const about = useSymbol(symbol);
  const narrow = useMediaQuery("(max-width: 768px)");
  const timeframe = known(filters.tf) ?? "H1";
  const second = known(filters.tf2);
  const hidden = useMemo(() => new Set(filters.hide.split(" ").filter(Boolean)), [filters.hide]);
  const instrument = about.data?.specification?.instrument as { digits?: number; currency_base?: string; currency_profit?: string } | undefined;
  const digits = instrument?.digits ?? 5;
  const [base, profit] = [instrument?.currency_base ?? "", instrument?.currency_profit ?? ""];
  const currencies = useMemo(() => [base, profit], [base, profit]);
  const [last, setLast] = useState<number | undefined>(undefined);
  const { marks, calendar } = useMarks(symbol, currencies, last, digits);
  const shown = useMemo(() => marks.filter(({ kind }) => !hidden.has(kind)), [marks, hidden]);
  const { data: strategies } = useQuery({
    queryKey: ["strategies", "of", symbol],
    queryFn: () => take(api.GET("/api/strategies", { params: { query: { symbol } } })),
  });
  const height = narrow ? 320 : 480;
  const bar = (utc: number, of: string): void => change({ at: new Date((utc + secondsOf(of)) * 1000).toISOString() });
  const shared = { symbol, digits, broker: filters.clock !== "utc", sessions: !hidden.has("sessions"), marks: shown, strategy: filters.strategy, height, onBar: bar };
  return (
    <div className="stack">
      <div className="marketbar">
        <Chip.Group multiple value={LAYERS.filter((one) => !hidden.has(one))} onChange={(on) => change({ hide: LAYERS.filter((one) => !on.includes(one)).join(" ") })}>
          <Group gap={4} role="group" aria-label={words.show}>{LAYERS.map((one) => <Chip key={one} value={one} size="xs">{words.layers[one]}</Chip>)}</Group>
        </Chip.Group>
        <SegmentedControl size="xs" aria-label={words.clock} value={filters.clock || "broker"} data={[{ value: "broker", label: words.clocks.broker }, { value: "utc", label: words.clocks.utc }]} onChange={(value) => change({ clock: value === "broker" ? null : value })} />
        <Select size="xs" w={210} aria-label={words.strategy} placeholder={words.strategy} clearable value={filters.strategy || null} data={(strategies?.strategies ?? []).map((one) => String(one["id"]))} onChange={(strategy) => change({ strategy })} />
        {!second && <Select size="xs" w={110} aria-label={words.second} placeholder={words.second} data={[...TIMEFRAMES]} value={null} onChange={(tf2) => change({ tf2 })} />}
      </div>
      <div className={second ? "beside" : ""}>
        <Panel {...shared} timeframe={timeframe} onTimeframe={(tf) => change({ tf })} onLast={setLast} />
        {second && <Panel {...shared} timeframe={second} optional onTimeframe={(tf2) => change({ tf2 })} />}
      </div>
      {filters.strategy && <section className="card"><Explained strategy={filters.strategy} symbol={symbol} at={filters.at} /></section>}
      <div className="grid12">
        <section className="card span6">
          <h2>{words.marks}</h2>
          {calendar && !calendar.known && <div className="warn">{words.noCalendar(calendar.reason ?? "")}</div>}
          {shown.length === 0 && <div className="dim">{words.noMarks}</div>}
          {shown.slice(-12).reverse().map((mark) => (
            <div key={mark.id} className="row">
              <span className={mark.way === "none" ? "warn" : mark.way} aria-hidden>{mark.way === "up" ? "▲" : mark.way === "down" ? "▼" : "■"}</span>
              <span className="what">{mark.to ? <Link to={mark.to}>{mark.text}</Link> : mark.text}</span>
              <span className="num dim">{clock(mark.at * 1000, 0, { seconds: false })} UTC</span>
            </div>
          ))}
        </section>
        <section className="card span6"><h2>{words.quality}</h2><Quality symbol={symbol} /></section>
      </div>
      {about.error && <div className="warn" role="alert">{common.failed(symbol)}: {about.error.message}</div>}
    </div>
  );
}

function Quality({ symbol }: { symbol: string }): ReactNode {
  const query = useQuery({ queryKey: ["market", symbol, "quality"], queryFn: () => take(api.GET("/api/market/{symbol}/quality", { params: { path: { symbol } } })), staleTime: 300_000 });
  return (
    <StateOf query={query} what={words.quality} isEmpty={({ series }) => series.length === 0} empty={words.noQuality} height={140}>
      {({ series }) => series.map((one) => (
        <div key={`${one.kept} ${one.timeframe}`} className="row">
          <b>{one.timeframe}</b>
          <span className="what">
            <span className={one.verdict === "doubtful" ? "danger" : one.verdict === "usable" ? "warn" : ""}>{words.verdict[one.verdict] ?? one.verdict}</span>, {words.kept[one.kept] ?? one.kept}
            <details><summary className="dim">{common.details}</summary>{one.trust.map((line) => <div key={line} className="dim">{line}</div>)}</details>
          </span>
        </div>
      ))}
    </StateOf>
  );
}
