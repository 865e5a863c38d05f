import { Group, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { grouped, pausesOf, type Pause } from "./model";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { useClocks, useNow } from "@/lib/clock";
import { useMoment } from "@/lib/moment";
import { calendar as words } from "@/lib/strings";

export const usePauses = (hours: number) =>
  useQuery({ queryKey: ["calendar", "embargoes", hours], queryFn: () => take(api.GET("/api/calendar/embargoes", { params: { query: { hours } } })), refetchInterval: 30_000 });

const HOUR = 3_600_000;

/** When entries pause, one lane a symbol, from now to as far as is asked for. */
export function Pauses({ hours, reach, open }: { hours: number; reach: (hours: string) => void; open: (key: string) => void }): ReactNode {
  const query = usePauses(hours);
  const now = useNow();
  const { text, offset } = useMoment();
  const { deskAhead } = useClocks();
  return (
    <section className="card span12">
      <Group justify="space-between" mb={8}>
        <h2 className="plain">{words.pauses}</h2>
        <SegmentedControl size="xs" aria-label={words.reach} value={String(hours)} onChange={reach} data={Object.entries(words.reaches).map(([value, label]) => ({ value, label })).sort((one, other) => Number(one.value) - Number(other.value))} />
      </Group>
      <StateOf query={query} what={words.pauses} height={120}>
        {(data) => {
          const start = now + deskAhead;
          const span = hours * HOUR;
          const share = (at: string | number): number => Math.min(100, Math.max(0, (((typeof at === "string" ? Date.parse(at) : at) - start) / span) * 100));
          const lanes = grouped(pausesOf(data).filter(({ end }) => Date.parse(end) > start), ({ symbol }) => symbol);
          const step = hours <= 12 ? 2 : hours <= 24 ? 4 : 24;
          const first = Math.ceil((start + offset(start) * 1000) / (step * HOUR)) * step * HOUR - offset(start) * 1000;
          const ticks = Array.from({ length: Math.floor((start + span - first) / (step * HOUR)) + 1 }, (_, index) => first + index * step * HOUR);
          return (
            <>
              {!data.known && <div className="warn" role="status">{words.pausesUnknown(data.reason ?? "")}</div>}
              {data.problems.length > 0 && <div className="warn">{words.noSpecification(data.problems.map((one) => one["symbol"]).join(", "))}</div>}
              {lanes.size === 0 && data.known && <div className="dim">{words.noPauses}</div>}
              {lanes.size > 0 && (
                <div className="lanes">
                  {[...lanes].map(([symbol, pauses]) => <Lane key={symbol} symbol={symbol} pauses={pauses} share={share} open={open} />)}
                  <span /><div className="ticks" aria-hidden>{ticks.map((at) => <span key={at} style={{ left: `${share(at)}%` }}>{step === 24 ? text(new Date(at).toISOString()).slice(5, 10) : text(new Date(at).toISOString()).slice(11)}</span>)}</div>
                </div>
              )}
              {data.shown.length > 0 && <div className="dim small">{words.shownOnly(data.shown.length)}</div>}
            </>
          );
        }}
      </StateOf>
    </section>
  );
}

function Lane({ symbol, pauses, share, open }: { symbol: string; pauses: Pause[]; share: (at: string) => number; open: (key: string) => void }): ReactNode {
  const on = pauses.some((one) => one.on);
  return (
    <>
      <span className={on ? "warn" : ""} title={on ? words.on : undefined}><b>{symbol}</b></span>
      <div className="lane" role="group" aria-label={words.bandsOf(symbol)}>
        {pauses.map((one) => (
          <button
            key={one.event.key} type="button" data-on={one.on} title={`${one.text}; ${one.pauses.join(", ")}`} aria-label={one.text} onClick={() => open(one.event.key)}
            style={{ left: `${share(one.start)}%`, width: `max(5px, ${share(one.end) - share(one.start)}%)` }}
          />
        ))}
      </div>
    </>
  );
}
