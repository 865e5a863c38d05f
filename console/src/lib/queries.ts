import { queryOptions } from "@tanstack/react-query";
import { api, take } from "@/lib/api";

/** What the shell and several pages read, so that they ask once. Quotes of the market move: polled while visible. */
const POLL = 2000;

export const session = queryOptions({ queryKey: ["session"], queryFn: () => take(api.GET("/api/session")), staleTime: Infinity });
export const account = queryOptions({ queryKey: ["account"], queryFn: () => take(api.GET("/api/account")), refetchInterval: POLL });
export const positions = queryOptions({ queryKey: ["positions"], queryFn: () => take(api.GET("/api/positions")), refetchInterval: POLL });
export const standing = queryOptions({ queryKey: ["risk", "standing"], queryFn: () => take(api.GET("/api/risk/standing")), refetchInterval: POLL });
export const control = queryOptions({ queryKey: ["control"], queryFn: () => take(api.GET("/api/control")), refetchInterval: 5000 });
export const status = queryOptions({ queryKey: ["status"], queryFn: () => take(api.GET("/api/status")), refetchInterval: 5000 });
export const waiting = queryOptions({
  queryKey: ["trade-ideas", "pending"],
  queryFn: () => take(api.GET("/api/trade-approval/pending")),
  refetchInterval: 10_000,
});
