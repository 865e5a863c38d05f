export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

export const written = (value: Json): string => `${JSON.stringify(value, null, 2)}\n`;

/** The document with one place changed; undefined takes the entry out. Objects on the way are made where missing. */
export function placed(value: Json | undefined, path: readonly (string | number)[], wanted: Json | undefined): Json {
  const [head, ...rest] = path;
  if (head === undefined) return wanted ?? null;
  if (typeof head === "number") {
    const list: Json[] = Array.isArray(value) ? [...value] : [];
    if (rest.length === 0 && wanted === undefined) list.splice(head, 1);
    else list[head] = placed(list[head], rest, wanted);
    return list;
  }
  const object = value !== null && typeof value === "object" && !Array.isArray(value) ? { ...value } : {};
  if (rest.length === 0 && wanted === undefined) {
    return Object.fromEntries(Object.entries(object).filter(([key]) => key !== head));
  }
  object[head] = placed(object[head], rest, wanted);
  return object;
}
