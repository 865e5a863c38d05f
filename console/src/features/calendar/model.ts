import type { Schemas } from "@/lib/api";
import { clock } from "@/lib/format";
import { calendar as words, common } from "@/lib/strings";

/** An event as the desk tells it. */
export type Event = {
  key: string; title: string; currency: string; at: string; all_day: boolean; tentative: boolean; impact: "high" | "medium" | "low" | "holiday" | "none";
  forecast: string | null; previous: string | null; actual: string | null; source: string; first_seen_at: string | null; hindsight?: boolean;
};
export type Pause = { symbol: string; start: string; end: string; on: boolean; event: Event; pauses: string[]; text: string };

export const eventsOf = (answer: Schemas["Calendar"] | undefined): Event[] => (answer?.events ?? []) as unknown as Event[];
export const pausesOf = (answer: Schemas["Embargoes"]): Pause[] => answer.windows as unknown as Pause[];

const FIELDS = ["impact", "forecast", "previous", "actual", "tentative", "all_day"] as const;
const told = (value: string | boolean | null): string => (value === null ? common.unknown : typeof value === "boolean" ? (value ? words.yes : words.no) : value);
const name = ({ currency, title }: Event): string => `${currency} ${title}`;

/** What the later view says otherwise than the earlier one, by the key that `shown` has it under. */
export function differences(earlier: readonly Event[], later: readonly Event[], shown: "earlier" | "later"): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const before = new Map(earlier.map((event) => [event.key, event]));
  const after = new Map(later.map((event) => [event.key, event]));
  const gone = earlier.filter(({ key }) => !after.has(key));
  const fresh = later.filter(({ key }) => !before.has(key));
  const pairs: [Event | undefined, Event | undefined][] = earlier.flatMap((event) => (after.has(event.key) ? [[event, after.get(event.key)] as [Event, Event | undefined]] : []));
  for (const old of gone) {
    const same = fresh.filter((event) => name(event) === name(old));
    const only = same.length === 1 && gone.filter((event) => name(event) === name(old)).length === 1 ? same[0] : undefined;
    pairs.push([old, only]);
  }
  const moved = new Set(pairs.map(([, event]) => event?.key));
  for (const event of fresh) if (!moved.has(event.key)) pairs.push([undefined, event]);
  for (const [old, now] of pairs) {
    const key = (shown === "earlier" ? old : now)?.key;
    if (key === undefined) continue;
    const says: string[] = [];
    if (!old) says.push(words.added);
    else if (!now) says.push(words.gone);
    else {
      if (old.at !== now.at) says.push(shown === "later" ? words.moved(stamp(old.at)) : words.change(words.fields["at"] ?? "", stamp(old.at), stamp(now.at)));
      for (const field of FIELDS) if (old[field] !== now[field]) says.push(words.change(words.fields[field] ?? field, told(old[field]), told(now[field])));
    }
    if (says.length > 0) found.set(key, says);
  }
  return found;
}

/** What belongs together, in the order of its first. */
export function grouped<T>(list: readonly T[], by: (one: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const one of list) found.set(by(one), [...(found.get(by(one)) ?? []), one]);
  return found;
}

export const stamp = (at: string): string => clock(Date.parse(at), 0, { seconds: false });

/** Actual against forecast as numbers of the same unit: 1 above, -1 below, 0 met; null where they cannot be compared. */
export function against(actual: string | null, forecast: string | null): number | null {
  const [one, other] = [actual, forecast].map((text) => /^([-−+]?\d+(?:\.\d+)?)\s*([%A-Za-z]*)$/.exec(text?.replaceAll(",", "").trim() ?? ""));
  if (!one || !other || one[2] !== other[2]) return null;
  return Math.sign(Number(one[1]?.replace("−", "-")) - Number(other[1]?.replace("−", "-")));
}
