import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Safety } from "./Safety";
import { Money, Price, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { between, clock, digitsOf, duration, lots, price } from "@/lib/format";
import * as read from "@/lib/queries";
import { dashboard as words } from "@/lib/strings";

const HOURS = 12;

/** Am I safe, does anything need me, what does the desk think and why, is it well. */
export function Page(): ReactNode {
  return (
    <>
      <h1 className="away">{words.title}</h1>
      <div className="grid12">
        <Safety />
        <section className="card span8"><h2>{words.positions}</h2><Positions /></section>
        <section className="card span4"><h2>{words.needs}</h2><Needs /></section>
        <section className="card span8"><h2>{words.decisions}</h2><Decisions /></section>
        <div className="span4" style={{ display: "grid", gap: 16 }}>
          <section className="card"><h2>{words.next}</h2><Ahead /></section>
          <section className="card"><h2>{words.health}</h2><Health /></section>
        </div>
      </div>
    </>
  );
}

function Needs(): ReactNode {
  const ideas = useQuery(read.waiting);
  const { data: control } = useQuery(read.control);
  const { data: status } = useQuery(read.status);
  const problems = status?.problems ?? [];
  return (
    <StateOf query={ideas} what={words.needs}>
      {({ pending }) => (
        <>
          {control?.halts.map((halt) => <div key={halt.kind} className="row danger"><span className="what">{words.needsHalt(halt.reason)}</span></div>)}
          {pending.map((idea) => (
            <div key={String(idea["id"])} className="row">
              <span className="what"><b className="warn">!</b> {words.ideaWaits(`${String(idea["symbol"])} ${String(idea["timeframe"])} ${String(idea["side"])}`)}</span>
              <span className="dim">{words.expires} </span><RelativeTime at={idea["expires_at"] as string} />
            </div>
          ))}
          {problems.map((problem, index) => (
            <div key={index} className="row"><span className="what"><span className="dim">{words.problem}: </span>{String(problem["message"] ?? problem["code"])}</span></div>
          ))}
          {pending.length === 0 && problems.length === 0 && control?.halted === false && <div className="dim">{words.needsNothing}</div>}
        </>
      )}
    </StateOf>
  );
}

function Positions(): ReactNode {
  const query = useQuery(read.positions);
  const { data: account } = useQuery(read.account);
  return (
    <StateOf query={query} what={words.positions} isEmpty={({ items }) => items.length === 0} empty={words.noPositions}>
      {({ items }) => items.map((one) => {
        const digits = Math.max(digitsOf(one.price_open), digitsOf(one.price_current));
        const share = between(one.price_current, one.stop, one.target);
        return (
          <div key={one.ticket} className="row" style={{ flexWrap: "wrap" }}>
            <b style={{ width: 76 }}>{one.symbol}</b>
            <span style={{ width: 56 }} className={one.side === "buy" ? "up" : "down"}>{one.side === "buy" ? "▲ buy" : "▼ sell"}</span>
            <span className="num" style={{ width: 76 }}>{lots(one.volume)}</span>
            <span className="num" style={{ width: 90 }}><Price value={one.price_current} digits={digits} /></span>
            <span style={{ flex: 1, minWidth: 160 }}>
              <div className="distance" role="img" aria-label={`${price(one.stop, digits)} – ${price(one.target, digits)}`}>
                {share !== null && <i style={{ left: `calc(${share * 100}% - 1px)` }} />}
              </div>
              <div className="scale"><span className="num">{price(one.stop, digits)}</span><span className="num">{price(one.target, digits)}</span></div>
            </span>
            <span style={{ width: 120, textAlign: "right" }}><Money value={one.profit} currency={account?.currency} digits={account?.currency_digits ?? 2} /></span>
          </div>
        );
      })}
    </StateOf>
  );
}

type Decided = { symbol: string; timeframe: string; signal: string | null; action: string; reasons: string[] };

function Decisions(): ReactNode {
  const query = useQuery({ queryKey: ["decisions", "last"], queryFn: () => take(api.GET("/api/decisions", { params: { query: { limit: 10 } } })), refetchInterval: 30_000 });
  return (
    <StateOf query={query} what={words.decisions} isEmpty={({ items }) => items.length === 0} empty={words.noDecisions} height={240}>
      {({ items }) => items.map(({ seq, at, decision }) => {
        const made = decision as Decided;
        return (
          <div key={seq} className="row">
            <span className="what">
              <b>{made.symbol} {made.timeframe}</b>: <span className={made.signal === "long" ? "up" : made.signal === "short" ? "down" : ""}>{made.signal ?? made.action.replaceAll("_", " ")}</span>
              {made.reasons.length > 0 && <span className="dim">, {made.reasons.slice(0, 3).join("; ")}</span>}
            </span>
            <RelativeTime past at={at} />
          </div>
        );
      })}
    </StateOf>
  );
}

type Window = { begin?: string; end?: string; from?: string; to?: string; symbol?: string; symbols?: string[]; title?: string; event?: { title?: string } };

function Ahead(): ReactNode {
  const query = useQuery({
    queryKey: ["calendar", "embargoes", HOURS],
    queryFn: () => take(api.GET("/api/calendar/embargoes", { params: { query: { hours: HOURS } } })),
    refetchInterval: 60_000,
  });
  return (
    <StateOf query={query} what={words.next}>
      {(data) => {
        if (!data.known) return <div className="warn">{words.calendarUnknown(data.reason ?? "")}</div>;
        if (data.windows.length === 0) return <div className="dim">{words.noEvents}</div>;
        const start = Date.parse(data.as_of);
        const share = (at: string): number => Math.min(1, Math.max(0, (Date.parse(at) - start) / (HOURS * 3_600_000))) * 100;
        const windows = (data.windows as Window[]).map((one) => ({ ...one, from: one.begin ?? one.from ?? data.as_of, to: one.end ?? one.to ?? data.until }));
        return (
          <>
            <div className="timeline" aria-hidden>{windows.map((one, index) => <i key={index} style={{ left: `${share(one.from)}%`, width: `max(2px, ${share(one.to) - share(one.from)}%)` }} />)}</div>
            <div className="scale">{[0, 3, 6, 9, 12].map((hour) => <span key={hour}>+{hour} h</span>)}</div>
            {windows.slice(0, 6).map((one, index) => (
              <div key={index} className="row"><span className="what">{one.symbol ?? one.symbols?.join(", ")} {one.title ?? one.event?.title}</span><span className="num dim">{clock(Date.parse(one.from), 0, { date: false, seconds: false })}–{clock(Date.parse(one.to), 0, { date: false, seconds: false })} UTC</span></div>
            ))}
          </>
        );
      }}
    </StateOf>
  );
}

function Health(): ReactNode {
  const query = useQuery(read.status);
  return (
    <StateOf query={query} what={words.health} height={220}>
      {({ checks, workers, data, jobs }) => (
        <>
          {checks.map((check) => (
            <div key={check.name} className="row"><span className={check.ok ? "up" : "danger"} aria-hidden>{check.ok ? "●" : "▲"}</span><span className="what">{check.name} <span className="dim">{check.detail}</span></span></div>
          ))}
          {workers.length === 0 && <div className="row danger">{words.noWorkers}</div>}
          {workers.map((worker) => (
            <div key={worker.name} className="row"><span className={worker.state === "alive" ? "up" : "danger"} aria-hidden>{worker.state === "alive" ? "●" : "▲"}</span><span className="what">{worker.name} <span className="dim">{worker.state}</span></span></div>
          ))}
          {data.map((one) => (
            <div key={one.name} className="row"><span className="what">{one.name.replaceAll("_", " ")}</span><span className="num dim" title={one.reason ?? one.task}>{one.age_seconds === null ? words.never : duration(one.age_seconds)}</span></div>
          ))}
          <div className={jobs.dead_letters > 0 ? "row warn" : "row dim"}>{words.failed24(jobs.failed, jobs.dead_letters)}</div>
        </>
      )}
    </StateOf>
  );
}
