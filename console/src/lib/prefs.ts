import { useSyncExternalStore } from "react";

/** What one person likes on this screen; kept in this browser. */
export type Prefs = { density: "dense" | "normal"; pair: "blue-orange" | "green-red"; clock: "broker" | "local" | "utc" };
const KEY = "mt5ui-prefs";
const USUAL: Prefs = { density: "dense", pair: "blue-orange", clock: "broker" };

function read(): Prefs {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Record<keyof Prefs, unknown>>;
    return {
      density: kept.density === "normal" ? "normal" : USUAL.density,
      pair: kept.pair === "green-red" ? "green-red" : USUAL.pair,
      clock: kept.clock === "local" || kept.clock === "utc" ? kept.clock : USUAL.clock,
    };
  } catch {
    return USUAL;
  }
}

let prefs = read();
const watchers = new Set<() => void>();

export function applyPrefs(): void {
  document.documentElement.dataset["density"] = prefs.density;
  document.documentElement.dataset["pair"] = prefs.pair;
}

export function setPrefs(change: Partial<Prefs>): void {
  prefs = { ...prefs, ...change };
  localStorage.setItem(KEY, JSON.stringify(prefs));
  applyPrefs();
  for (const told of watchers) told();
}

export function usePrefs(): Prefs {
  return useSyncExternalStore(
    (told) => {
      watchers.add(told);
      return () => watchers.delete(told);
    },
    () => prefs,
  );
}
