import { queryOptions } from "@tanstack/react-query";
import { api, take } from "@/lib/api";

export const workers = queryOptions({ queryKey: ["workers"], queryFn: () => take(api.GET("/api/workers")), refetchInterval: 5000 });
export const queues = queryOptions({ queryKey: ["queues"], queryFn: () => take(api.GET("/api/queues")), refetchInterval: 5000 });
export const dead = queryOptions({ queryKey: ["dead-letters"], queryFn: () => take(api.GET("/api/dead-letters")), refetchInterval: 30_000 });
export const schedules = queryOptions({ queryKey: ["schedules"], queryFn: () => take(api.GET("/api/schedules")), refetchInterval: 5000 });
export const active = queryOptions({ queryKey: ["celery", "active"], queryFn: () => take(api.GET("/api/celery/tasks/active")), refetchInterval: 5000 });

const LIVE = ["started", "retrying", "sent", "queued"] as const;
/** What runs or waits to, running ones first. */
export const live = queryOptions({
  queryKey: ["tasks", "live"],
  queryFn: async () => {
    const pages = await Promise.all(LIVE.map((status) => take(api.GET("/api/tasks", { params: { query: { status, limit: 100 } } }))));
    return [...new Map(pages.flatMap(({ items }) => items).map((job) => [job.id, job])).values()];
  },
  refetchInterval: 5000,
});

export const JOBS_OF_A_SCHEDULE = 24;
/** How late the last jobs of a schedule began, oldest first. */
export const lateness = (schedule: string) =>
  queryOptions({
    queryKey: ["lateness", schedule],
    queryFn: async () => {
      const { items } = await take(api.GET("/api/tasks", { params: { query: { schedule, limit: JOBS_OF_A_SCHEDULE } } }));
      return items.map((job) => job.lateness ?? null).filter((value) => value !== null).reverse();
    },
    refetchInterval: 60_000,
  });

const LATE_AFTER = 10;
/** Seconds that a schedule's next tick is overdue by its own clock; 0 where it is not. */
export function overdue(one: { next_planned_at: string | null; enabled: boolean; paused: boolean; clock: string }, desk: number, wall: number): number {
  if (!one.enabled || one.paused || one.next_planned_at === null) return 0;
  const seconds = ((one.clock === "desk" ? desk : wall) - Date.parse(one.next_planned_at)) / 1000;
  return seconds > LATE_AFTER ? seconds : 0;
}
