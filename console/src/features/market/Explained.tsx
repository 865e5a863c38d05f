import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { ExplanationView } from "@/components/Explanation";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { market as words } from "@/lib/strings";

/** What the chosen strategy says at the bar that was clicked, or at the newest. */
export function Explained({ strategy, symbol, at }: { strategy: string; symbol: string; at: string }): ReactNode {
  const query = useQuery({
    queryKey: ["strategies", strategy, "explain", symbol, at],
    queryFn: () => take(api.GET("/api/strategies/{strategy_id}/explain", { params: { path: { strategy_id: strategy }, query: { symbol, ...(at ? { at } : {}) } } })),
    refetchInterval: at ? false : 10_000,
  });
  return (
    <>
      <h2>{words.explain}: <Link to="/strategies/$id" params={{ id: strategy }}>{strategy}</Link></h2>
      <StateOf query={query} what={words.explain} height={160}>{(told) => <ExplanationView told={told} />}</StateOf>
    </>
  );
}
