import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { deskError } from "@/lib/api";
import { asText } from "@/lib/format";
import { settings as words } from "@/lib/strings";

type Schema = {
  $ref?: string; type?: string; title?: string; description?: string; default?: unknown; properties?: Record<string, Schema>; anyOf?: Schema[]; enum?: string[]; items?: Schema;
  minimum?: number; maximum?: number; exclusiveMinimum?: number; exclusiveMaximum?: number; minLength?: number; maxLength?: number; required?: string[];
};
export type Described = Record<string, Schema>;
export type Field = {
  /** Dotted: "daily_loss.limit". */
  key: string;
  name: string;
  about: string;
  range: string;
  kind: "number" | "integer" | "boolean" | "choice" | "choices" | "texts" | "text";
  nullable: boolean;
  options: string[];
  share: boolean;
};
export type Part = { key: string; name: string; about: string; nullable: boolean; usual: Record<string, unknown>; fields: Field[] };

/** The desk's description of its own settings: what each does, and what it may be. */
export function useDescription(): UseQueryResult<Described> {
  return useQuery({
    queryKey: ["openapi"],
    queryFn: async () => {
      const answer = await fetch("/openapi.json");
      if (!answer.ok) throw deskError(answer.status, await answer.json().catch(() => null));
      return ((await answer.json()) as { components: { schemas: Described } }).components.schemas;
    },
    staleTime: Infinity,
  });
}

export const nameOf = (key: string): string => {
  const text = (key.split(".").at(-1) ?? key).replaceAll("_", " ").replace(/\batr\b/, "ATR").replace(/\bai\b/, "AI").replace(/\btz\b/, "time zone");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

function resolved(schema: Schema, all: Described): { schema: Schema; nullable: boolean } {
  const options = schema.anyOf ?? [schema];
  const nullable = options.some(({ type }) => type === "null");
  const one = options.find(({ type }) => type !== "null") ?? schema;
  const target = one.$ref ? (all[one.$ref.split("/").at(-1) ?? ""] ?? {}) : one;
  const { description, default: usual } = schema;
  return { schema: { ...target, ...(description === undefined ? {} : { description }), ...(usual === undefined ? {} : { default: usual }) }, nullable };
}

const shown = (value: unknown): string => (value === null ? words.range.nothing : Array.isArray(value) ? value.join(", ") : asText(value));

function rangeOf(schema: Schema, nullable: boolean, share: boolean): string {
  const { minimum, exclusiveMinimum, maximum } = schema;
  const low = minimum ?? exclusiveMinimum;
  const bounds = low !== undefined && maximum !== undefined
    ? words.range.between(exclusiveMinimum === undefined ? String(low) : words.range.above(String(low)), String(maximum))
    : exclusiveMinimum !== undefined ? words.range.above(String(exclusiveMinimum)) : minimum !== undefined ? words.range.from(String(minimum)) : maximum !== undefined ? words.range.upTo(String(maximum)) : "";
  return [bounds, share ? words.range.share : "", nullable ? words.range.empty : "", schema.default === undefined ? "" : words.range.usual(shown(schema.default))].filter(Boolean).join(" · ");
}

const FRACTION = /fraction/;

function fieldOf(key: string, raw: Schema, all: Described): Field {
  const { schema, nullable } = resolved(raw, all);
  const items = schema.items ? resolved(schema.items, all).schema : undefined;
  const share = schema.type === "number" && ((schema.exclusiveMinimum === 0 && schema.maximum === 1) || FRACTION.test(key));
  const kind = schema.enum ? "choice" : schema.type === "array" ? (items?.enum ? "choices" : "texts") : schema.type === "boolean" ? "boolean"
    : schema.type === "integer" ? "integer" : schema.type === "string" ? "text" : "number";
  return { key, name: nameOf(key), about: schema.description ?? "", range: rangeOf(schema, nullable, share), kind, nullable, options: schema.enum ?? items?.enum ?? [], share };
}

/** The parts of a settings object: what stands at its top first, then each part of it. */
export function partsOf(name: string, all: Described, leaveOut: readonly string[] = []): Part[] {
  const top: Part = { key: "", name: words.general, about: "", nullable: false, usual: {}, fields: [] };
  const parts: Part[] = [];
  for (const [key, raw] of Object.entries(all[name]?.properties ?? {})) {
    if (leaveOut.includes(key)) continue;
    const { schema, nullable } = resolved(raw, all);
    if (!schema.properties) top.fields.push(fieldOf(key, raw, all));
    else {
      const usual = Object.fromEntries(Object.entries(schema.properties).map(([inner, one]) => [inner, one.default ?? null]));
      parts.push({ key, name: nameOf(key), about: schema.description ?? "", nullable, usual, fields: Object.entries(schema.properties).map(([inner, one]) => fieldOf(`${key}.${inner}`, one, all)) });
    }
  }
  return [top, ...parts];
}

export type Values = Record<string, unknown>;

export function at(values: Values, key: string): unknown {
  return key.split(".").reduce<unknown>((value, name) => (value !== null && typeof value === "object" ? (value as Values)[name] : undefined), values);
}

export function put(values: Values, key: string, value: unknown): Values {
  const [name = "", ...rest] = key.split(".");
  if (rest.length === 0) return { ...values, [name]: value };
  const inner = values[name];
  return { ...values, [name]: put(inner !== null && typeof inner === "object" ? (inner as Values) : {}, rest.join("."), value) };
}

/** The merge patch that makes `after` of `before`: only what differs. */
export function patchOf(before: Values, after: Values): Values {
  const patch: Values = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [a, b] = [before[key], after[key]];
    if (JSON.stringify(a) === JSON.stringify(b)) continue;
    const both = [a, b].every((one) => one !== null && typeof one === "object" && !Array.isArray(one));
    patch[key] = both ? patchOf(a as Values, b as Values) : (b ?? null);
  }
  return patch;
}

export const leaves = (patch: Values): number =>
  Object.values(patch).reduce<number>((sum, one) => sum + (one !== null && typeof one === "object" && !Array.isArray(one) ? leaves(one as Values) : 1), 0);
