import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

/** Which queries a journal record concerns: the first elements of query keys, by the record's kind. */
export const CONCERNS: Readonly<Record<string, readonly string[]>> = {
  decision: ["decisions"],
  idea_step: ["trade-ideas"],
  order_intent: ["orders", "trade-ideas"],
  order_outcome: ["orders", "positions", "trades", "deals", "account", "risk", "trade-ideas"],
  position: ["positions", "orders", "trades", "deals", "account", "risk"],
  halt: ["control", "status"],
  resume: ["control", "status"],
  mode_change: ["control", "status"],
  settings_change: ["risk", "prop", "strategies", "schedules", "status", "integrations", "feeds", "symbols"],
  security: ["security", "users", "sessions", "tokens"],
};
const OF_JOBS = ["tasks", "queues", "workers", "dead-letters", "celery"];

/** The nouns of the queries that a message of `/api/events` makes stale. */
export function concerned(event: "job" | "journal", kind: string): string[] {
  if (event === "job") return OF_JOBS;
  return Object.hasOwn(CONCERNS, kind) ? [...(CONCERNS[kind] ?? [])] : [];
}

export type Connection = { state: "connecting" | "live" | "lost"; since: number };
let connection: Connection = { state: "connecting", since: Date.now() };
const watchers = new Set<() => void>();

function become(state: Connection["state"]): void {
  if (connection.state === state) return;
  connection = { state, since: Date.now() };
  document.documentElement.dataset["connection"] = state;
  for (const told of watchers) told();
}

/** Whether the desk answers, for the bar, the grey numbers and whoever wants to know. */
export function useConnection(): Connection {
  return useSyncExternalStore(
    (told) => {
      watchers.add(told);
      return () => watchers.delete(told);
    },
    () => connection,
  );
}

const LOOK_EVERY = 2000;
const FILE_FOLLOWS = 200;

async function alive(): Promise<boolean> {
  try {
    return (await fetch("/healthz", { signal: AbortSignal.timeout(LOOK_EVERY), cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

/** Listens for the whole tab; returns how to stop. The stream resumes by itself after its last id. */
export function listen(queries: QueryClient): () => void {
  let source: EventSource | null = null;
  let stopped = false;
  let timer = 0;
  const stale = new Set<string>();
  let frame = 0;
  const invalidate = (nouns: readonly string[]): void => {
    for (const noun of nouns) stale.add(noun);
    frame ||= window.setTimeout(() => {
      frame = 0;
      const wanted = new Set(stale);
      stale.clear();
      void queries.invalidateQueries({ predicate: ({ queryKey: [noun] }) => wanted.has(String(noun)) });
    }, 50);
  };
  const take = (event: "job" | "journal") => (message: MessageEvent<string>) => {
    const { kind } = JSON.parse(message.data) as { kind?: unknown };
    const nouns = concerned(event, String(kind));
    invalidate(nouns);
    if (kind === "idea_step") window.setTimeout(() => invalidate(nouns), FILE_FOLLOWS); // the record comes before the idea's file
  };
  const all = (): void => void queries.invalidateQueries();
  const open = (): void => {
    source?.close();
    source = new EventSource("/api/events");
    source.addEventListener("open", all, { once: true }); // what was read before it was open may have changed since
    source.addEventListener("reset", all);
    source.addEventListener("job", take("job"));
    source.addEventListener("journal", take("journal"));
  };
  const look = async (): Promise<void> => {
    if (!document.hidden) {
      const answers = await alive();
      if (answers && connection.state !== "live") {
        const again = connection.state === "lost";
        become("live");
        if (again) void queries.invalidateQueries();
      } else if (!answers) become("lost");
      if (answers && source?.readyState === EventSource.CLOSED) open();
    }
    if (!stopped) timer = window.setTimeout(() => void look(), LOOK_EVERY);
  };
  const seen = (): void => {
    window.clearTimeout(timer);
    if (!document.hidden) void look();
  };
  open();
  void look();
  document.addEventListener("visibilitychange", seen);
  return () => {
    stopped = true;
    source?.close();
    window.clearTimeout(timer);
    window.clearTimeout(frame);
    document.removeEventListener("visibilitychange", seen);
  };
}
