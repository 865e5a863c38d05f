import { queryOptions } from "@tanstack/react-query";
import { runnables, type Description } from "./arguments";
import { api } from "@/lib/api";

export const described = queryOptions({
  queryKey: ["api-description"],
  queryFn: async () => {
    const { data } = await (api.GET as unknown as (path: string) => Promise<{ data: Description }>)("/openapi.json");
    return runnables(data);
  },
  staleTime: Infinity,
});

/** Runs a task by its endpoint; the same key runs it once. */
export async function run(path: string, body: Record<string, unknown>, key: string): Promise<{ task_id: string }> {
  const post = api.POST as unknown as (path: string, options: object) => Promise<{ data: { task_id: string } }>;
  return (await post(path, { body, headers: { "Idempotency-Key": key } })).data;
}
