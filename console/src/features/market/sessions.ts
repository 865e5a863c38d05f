import type { UTCTimestamp } from "lightweight-charts";
import type { Schemas } from "@/lib/api";

/** Hours of a city's own clock, as the desk tells them. */
export type SessionHours = Schemas["SessionHours"];

const HOUR = 3600;

/** Seconds that a zone's clock is ahead of UTC, hour by hour remembered: its changes fall on whole hours. */
function offsets(zone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric" });
  const known = new Map<number, number>();
  return (at) => {
    const hour = Math.floor(at / HOUR);
    const found = known.get(hour);
    if (found !== undefined) return found;
    const part = Object.fromEntries(format.formatToParts(hour * HOUR * 1000).map(({ type, value }) => [type, Number(value)]));
    const made = Date.UTC(part["year"] ?? 0, (part["month"] ?? 1) - 1, part["day"] ?? 1, part["hour"] ?? 0) / 1000 - hour * HOUR;
    known.set(hour, made);
    return made;
  };
}

/** Which bars, by index from and to, lie in each session; bars open at `times` (UTC seconds, ascending). */
export function inSessions(times: readonly number[], sessions: readonly SessionHours[]): { name: string; from: number; to: number }[] {
  const spans: { name: string; from: number; to: number }[] = [];
  for (const { name, zone, start, end } of sessions) {
    const offset = offsets(zone);
    let open: { name: string; from: number; to: number } | null = null;
    times.forEach((at, index) => {
      const hour = Math.floor((((at + offset(at)) % 86_400) + 86_400) % 86_400 / HOUR);
      if (hour < start || hour >= end) open = null;
      else if (open) open.to = index;
      else spans.push((open = { name, from: index, to: index }));
    });
  }
  return spans;
}

/** The index of the bar in which an instant (UTC seconds) lies; -1 before the first. */
export function barAt(times: readonly number[], at: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export const asTime = (seconds: number): UTCTimestamp => seconds as UTCTimestamp;
