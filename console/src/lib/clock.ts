import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { api, take } from "@/lib/api";

let now = Date.now();
const watchers = new Set<() => void>();
let timer = 0;

/** The browser's time, once a second, for every age on the page by one timer. */
export function useNow(): number {
  return useSyncExternalStore(
    (told) => {
      watchers.add(told);
      timer ||= window.setInterval(() => {
        now = Date.now();
        for (const each of watchers) each();
      }, 1000);
      return () => {
        watchers.delete(told);
        if (watchers.size === 0) {
          window.clearInterval(timer);
          timer = 0;
        }
      };
    },
    () => now,
  );
}

/** The desk's clocks: how far desk time and the server's wall time lie from this browser's, and the broker's offset from UTC in seconds. */
export function useClocks(): { deskAhead: number; wallAhead: number; brokerOffset: number | null; reason: string | null } {
  const { data } = useQuery({
    queryKey: ["clocks"],
    queryFn: async () => ({ seen: Date.now(), ...(await take(api.GET("/api/clocks"))) }),
    refetchInterval: 60_000,
  });
  const seconds = data?.terminal?.["expected_seconds"];
  return {
    deskAhead: data?.desk ? Date.parse(data.desk) - data.seen : 0,
    wallAhead: data?.api ? Date.parse(data.api) - data.seen : 0,
    brokerOffset: typeof seconds === "number" ? seconds : null,
    reason: data?.terminal_reason ?? null,
  };
}
