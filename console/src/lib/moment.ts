import { useCallback } from "react";
import { useClocks } from "@/lib/clock";
import { clock, localOffset } from "@/lib/format";
import { usePrefs } from "@/lib/prefs";

const FIXED = /^(?:UTC)?([+-]\d{1,2})?(?::(\d{2}))?$/;

/** Seconds that a server clock of this rule ("UTC+2", "America/New_York+7") is ahead of UTC at a moment; null where it is no rule. */
export function offsetOf(rule: string, when: number): number | null {
  const [, zone = "", ahead = ""] = /^(.*?)([+-]\d{1,2}(?::\d{2})?)?$/.exec(rule) ?? [];
  const found = FIXED.exec(ahead);
  const hours = Number(found?.[1] ?? 0);
  const own = (Math.abs(hours) * 3600 + Number(found?.[2] ?? 0) * 60) * (ahead.startsWith("-") ? -1 : 1);
  if (zone === "UTC") return own;
  try {
    const parts = new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    }).formatToParts(when);
    const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
    const wall = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
    return Math.round(wall / 1000 - Math.floor(when / 1000)) + own;
  } catch {
    return null;
  }
}

/** The clock that this person chose: its name, how far it is ahead of UTC at a moment, and a moment on it. Broker's time is UTC where its rule is not known. */
export function useMoment(): { name: "broker" | "local" | "utc"; offset: (when: number) => number; text: (at: string, seconds?: boolean) => string } {
  const { clock: wanted } = usePrefs();
  const { rule } = useClocks();
  const name = wanted === "broker" && rule === null ? "utc" : wanted;
  const offset = useCallback(
    (when: number) => (name === "local" ? localOffset(when) : name === "broker" && rule !== null ? (offsetOf(rule, when) ?? 0) : 0),
    [name, rule],
  );
  const text = useCallback((at: string, seconds = false) => clock(Date.parse(at), offset(Date.parse(at)), { seconds }), [offset]);
  return { name, offset, text };
}
