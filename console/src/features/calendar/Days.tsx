import type { ReactNode } from "react";
import { grouped, type Event } from "./model";
import { useClocks, useNow } from "@/lib/clock";
import { calendar as words } from "@/lib/strings";

const NAMES = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** The days that have events, each with how many of which impact; a click shows one of them alone. */
export function Days({ events, dayOf, day, pick }: { events: readonly Event[]; dayOf: (at: string) => string; day: string; pick: (day: string | null) => void }): ReactNode {
  const now = useNow();
  const { deskAhead } = useClocks();
  const today = dayOf(new Date(now + deskAhead).toISOString());
  const days = [...grouped(events, ({ at }) => dayOf(at))].sort(([one], [other]) => one.localeCompare(other));
  if (days.length === 0) return null;
  return (
    <div className="days" role="group" aria-label={words.days}>
      <button type="button" aria-pressed={day === ""} onClick={() => pick(null)}>{words.allDays}<b className="num">{events.length}</b></button>
      {days.map(([date, list]) => {
        const high = list.filter(({ impact }) => impact === "high").length;
        return (
          <button key={date} type="button" aria-pressed={day === date} aria-current={date === today ? "date" : undefined} onClick={() => pick(day === date ? null : date)}>
            {NAMES[new Date(`${date}T00:00:00Z`).getUTCDay()]} {date.slice(8)}
            <span className="num"><b>{list.length}</b>{high > 0 && <span className="danger"> ●{high}</span>}</span>
          </button>
        );
      })}
    </div>
  );
}
