import { asText } from "@/lib/format";
import { common } from "@/lib/strings";

export const fixedScore = (value: number | null): string => (value === null ? common.unknown : value.toFixed(1));

/** A measured number without noise behind its sixth digit. */
export const figure = (value: unknown): string => {
  if (value === null || value === undefined) return common.unknown;
  if (typeof value === "number") return Number.isInteger(value) ? value.toLocaleString("en-US") : String(Number(value.toPrecision(8)));
  if (typeof value === "object") return JSON.stringify(value);
  return asText(value) || common.unknown;
};
