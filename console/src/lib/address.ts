import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/** What a part of the address says, as text; "" where it says nothing. */
export type Filters<K extends string> = Readonly<Record<K, string>>;

/** The named filters of the address, and how to change some of them; null or "" takes one out. */
export function useFilters<const K extends string>(names: readonly K[]): [Filters<K>, (change: Partial<Record<K, string | null>>) => void] {
  const search: Record<string, unknown> = useSearch({ strict: false });
  const navigate = useNavigate();
  const change = useCallback(
    (wanted: Partial<Record<K, string | null>>) => {
      const next = (before: Record<string, unknown>): Record<string, unknown> =>
        Object.fromEntries(Object.entries({ ...before, ...wanted }).filter(([, value]) => value !== null && value !== undefined && value !== ""));
      void navigate({ to: ".", search: next as never, replace: true });
    },
    [navigate],
  );
  const text = (value: unknown): string => (typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : "");
  return [Object.fromEntries(names.map((name) => [name, text(search[name])])) as Record<K, string>, change];
}
