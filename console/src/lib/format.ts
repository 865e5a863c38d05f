import { common } from "@/lib/strings";

type Maybe = number | null | undefined;
const known = (value: Maybe): value is number => typeof value === "number" && Number.isFinite(value);
const MINUS = "−";

function fixed(value: number, digits: number, signed = false): string {
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const zero = !/[1-9]/.test(text);
  return (value < 0 && !zero ? MINUS : signed && !zero ? "+" : "") + text;
}

/** Any JSON value as text: text as it is, the rest as JSON. */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** "+1,234.50 USD"; a balance is given unsigned. */
export function money(value: Maybe, currency = "", { digits = 2, signed = true } = {}): string {
  return known(value) ? `${fixed(value, digits, signed)} ${currency}`.trimEnd() : common.unknown;
}

/** A price in its symbol's digits, in three parts: what seldom moves, the pip, and the fraction of a pip. */
export function priceParts(value: Maybe, digits: number): { head: string; pip: string; last: string } | null {
  if (!known(value)) return null;
  const text = value.toFixed(digits);
  const fraction = digits === 3 || digits === 5 ? 1 : 0;
  const end = text.length - fraction;
  const pips = Math.max(0, end - Math.min(2, digits - fraction));
  return { head: text.slice(0, pips), pip: text.slice(pips, end), last: text.slice(end) };
}

export const price = (value: Maybe, digits: number): string => (known(value) ? value.toFixed(digits) : common.unknown);
/** Digits behind the point of a tick size or a price as the desk writes it: 0.00001 is 5. */
export function digitsOf(value: number): number {
  const [mantissa = "", exponent = "0"] = String(value).toLowerCase().split("e");
  return Math.max(0, (mantissa.split(".")[1]?.length ?? 0) - Number(exponent));
}
export const inR = (value: Maybe): string => (known(value) ? `${fixed(value, 2, true)} R` : common.unknown);
/** A share: 0.0123 is "1.23 %". */
export const percent = (share: Maybe, digits = 2, signed = false): string =>
  known(share) ? `${fixed(share * 100, digits, signed)} %` : common.unknown;
export const pips = (value: Maybe): string => (known(value) ? `${fixed(value, 1)} pips` : common.unknown);
export const lots = (value: Maybe): string => (known(value) ? `${fixed(value, 2)} lots` : common.unknown);

/** What a number field was given; one that ends in a zero comes as text. Null where it is no number. */
export function typed(value: number | string): number | null {
  const number = typeof value === "string" && value.trim() === "" ? NaN : Number(value);
  return Number.isFinite(number) ? number : null;
}

/** Seconds as "12 s", "3 min 5 s", "2 h 4 min", "3 d 2 h". */
export function duration(seconds: Maybe): string {
  if (!known(seconds)) return common.unknown;
  if (seconds > 0 && seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  const whole = Math.round(Math.abs(seconds));
  const sign = seconds < 0 && whole > 0 ? MINUS : "";
  const units: [number, string][] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const at = units.findIndex(([size]) => whole >= size);
  if (at < 0) return "0 s";
  const parts: string[] = [];
  let left = whole;
  for (const [size, unit] of units.slice(at, at + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return sign + parts.join(" ");
}

export function relative(when: number, now: number): string {
  const seconds = (now - when) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  const coarse = Math.abs(seconds) < 60 ? Math.trunc(seconds) : Math.trunc(seconds / 60) * 60;
  return coarse < 0 ? `in ${duration(-coarse)}` : `${duration(coarse)} ago`;
}

const two = (value: number): string => String(value).padStart(2, "0");
/** A moment on a clock that is `offset` seconds ahead of UTC: "2014-05-07 14:03:09". */
export function clock(when: number, offset: number, { date = true, seconds = true } = {}): string {
  const at = new Date(when + offset * 1000);
  const day = `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} `;
  return `${date ? day : ""}${two(at.getUTCHours())}:${two(at.getUTCMinutes())}${seconds ? `:${two(at.getUTCSeconds())}` : ""}`;
}
export const localOffset = (when: number): number => -new Date(when).getTimezoneOffset() * 60;

/** A CSV that a spreadsheet reads as text where a cell would be a formula. */
export function csv(rows: readonly (readonly (string | number | null | undefined)[])[]): string {
  const cell = (value: string | number | null | undefined): string => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Where a price stands between stop (0) and target (1); null where either is missing. */
export function between(price: number, stop: Maybe, target: Maybe): number | null {
  if (!known(stop) || !known(target) || stop === target) return null;
  return Math.min(1, Math.max(0, (price - stop) / (target - stop)));
}
