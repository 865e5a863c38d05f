import type { ReactNode } from "react";
import { grouped, type Event } from "./model";
import { calendar as words } from "@/lib/strings";

const NAMES = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** From today on, all days, or one: each with its events and how many of them are of high impact. */
export function Days({ events, dayOf, today, day, pick }: { events: readonly Event[]; dayOf: (at: string) => string; today: string; day: string; pick: (day: string | null) => void }): ReactNode {
  const days = [...grouped(events, ({ at }) => dayOf(at))].sort(([one], [other]) => one.localeCompare(other));
  const ahead = events.filter(({ at }) => dayOf(at) >= today);
  if (days.length === 0) return null;
  return (
    <div className="days" role="group" aria-label={words.days}>
      <Choice name={words.ahead} events={ahead} chosen={day === ""} pick={() => pick(null)} />
      <Choice name={words.allDays} events={events} chosen={day === "all"} pick={() => pick("all")} />
      {days.map(([date, list]) => (
        <Choice
          key={date} name={`${NAMES[new Date(`${date}T00:00:00Z`).getUTCDay()] ?? ""} ${date.slice(8)}`} events={list} chosen={day === date} today={date === today}
          pick={() => pick(day === date ? null : date)}
        />
      ))}
    </div>
  );
}

function Choice({ name, events, chosen, today = false, pick }: { name: string; events: readonly Event[]; chosen: boolean; today?: boolean; pick: () => void }): ReactNode {
  const high = events.filter(({ impact }) => impact === "high").length;
  return (
    <button type="button" aria-pressed={chosen} aria-current={today ? "date" : undefined} onClick={pick}>
      {name}
      <span className="num"><b>{events.length}</b>{high > 0 && <span className="danger" title={words.highOf(high)}> ●{high}</span>}</span>
    </button>
  );
}
