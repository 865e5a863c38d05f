import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { useJournal, wanted } from "./trades";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { money } from "@/lib/format";
import * as read from "@/lib/queries";
import { journal as words } from "@/lib/strings";

const DAY = 86_400_000;
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const weekday = (at: number): number => (new Date(at).getUTCDay() + 6) % 7;

type Cell = { day: string; at: number; told: Schemas["Day"] | undefined };

/** Weeks as columns, days as rows, from the first to the last day on which something was closed. */
export function weeks(days: readonly Schemas["Day"][]): Cell[][] {
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last) return [];
  const told = new Map(days.map((day) => [day.day, day]));
  const begin = Date.parse(`${first.day}T00:00:00Z`);
  const end = Date.parse(`${last.day}T00:00:00Z`);
  const found: Cell[][] = [];
  for (let monday = begin - weekday(begin) * DAY; monday <= end; monday += 7 * DAY) {
    found.push(Array.from({ length: 7 }, (_, index) => {
      const at = monday + index * DAY;
      const day = new Date(at).toISOString().slice(0, 10);
      return { day, at, told: told.get(day) };
    }));
  }
  return found;
}

/** Heat map of the results by the broker's day; the days are told as text, too. */
export function Calendar(): ReactNode {
  const [filters] = useJournal();
  const asked = wanted(filters);
  const query = useQuery({ queryKey: ["trades", "days", asked], queryFn: () => take(api.GET("/api/trades/days", { params: { query: asked as never } })) });
  return (
    <>
      <h2 className="dim" style={{ margin: "0 0 8px", fontSize: 12 }} title={query.data && words.calendarTip(query.data.clock)}>{words.calendar}</h2>
      <StateOf query={query} what={words.calendar} height={170} isEmpty={({ days }) => days.length === 0} empty={words.noStatistics}>
        {({ days }) => <Heat days={days} />}
      </StateOf>
    </>
  );
}

function Heat({ days }: { days: readonly Schemas["Day"][] }): ReactNode {
  const { data: account } = useQuery(read.account);
  const columns = useMemo(() => weeks(days), [days]);
  const most = Math.max(1e-9, ...days.map(({ net }) => Math.abs(net ?? 0)));
  const size = columns.length > 60 ? 13 : columns.length > 12 ? 20 : 46;
  return (
    <div style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label={words.calendar}>
      <table style={{ borderSpacing: 3, borderCollapse: "separate" }}>
        <thead>
          <tr><th />{columns.map(([monday]) => <th key={monday?.day} className="dim" style={{ fontSize: 11, fontWeight: 400, textAlign: "left", whiteSpace: "nowrap" }}>{monday && headOf(monday.at, columns.length)}</th>)}</tr>
        </thead>
        <tbody>
          {WEEKDAYS.map((name, row) => (
            <tr key={name}>
              <th className="dim" style={{ fontSize: 11, fontWeight: 400, textAlign: "left", paddingRight: 6 }}>{name}</th>
              {columns.map((week) => {
                const cell = week[row];
                const net = cell?.told?.net ?? null;
                const text = cell?.told ? words.dayTip(cell.day, money(net, account?.currency), cell.told.trades) : cell?.day;
                const share = net === null ? 0 : 15 + (70 * Math.abs(net)) / most;
                const fill = net === null ? "var(--desk-line)" : `color-mix(in srgb, var(${net < 0 ? "--down" : "--up"}) ${share}%, var(--desk-card))`;
                return (
                  <td key={cell?.day} title={text} style={{ width: size * 1.6, minWidth: size, height: size > 20 ? 26 : size, background: fill, opacity: cell?.told ? 1 : 0.35, borderRadius: 3, textAlign: "center", fontSize: 11 }} className="num">
                    {cell?.told ? (size > 20 ? money(net, "", { digits: 0 }) : <span style={{ position: "absolute", left: -9999 }}>{text}</span>) : null}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const headOf = (at: number, columns: number): string => {
  const date = new Date(at);
  const day = date.getUTCDate();
  return columns > 12 ? (day <= 7 ? (MONTHS[date.getUTCMonth()] ?? "") : "") : `${day} ${MONTHS[date.getUTCMonth()] ?? ""}`;
};
