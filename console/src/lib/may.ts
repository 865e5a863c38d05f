import { useQuery } from "@tanstack/react-query";
import { session } from "@/lib/queries";

/** What the one who looks may do: trade (start, stop, approve) and own (settings, pauses). The desk decides; this hides. */
export function useMay(): { trade: boolean; own: boolean } {
  const { data } = useQuery(session);
  return { trade: data?.role === "trader" || data?.role === "owner", own: data?.role === "owner" };
}
