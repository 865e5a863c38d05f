import type { Schemas } from "@/lib/api";

export type Position = Schemas["PositionRow"];
export type Order = Schemas["OrderRow"];
export type Deal = Schemas["DealRow"];
/** What of an idea its position and its order are shown with. */
export type Known = { id: string; tick_size: number; stop: number; position?: { ticket: number } | null; order?: { ticket: number } | null };

/** Nouns whose figures change when something is dealt. */
export const NOUNS = ["positions", "orders", "deals", "account", "risk", "trade-ideas", "trades"];

const way = ({ side }: Position): 1 | -1 => (side === "buy" ? 1 : -1);

/** What a position would be worth at a level, by what its move so far was worth; null where it has not moved. */
export function worthAt(one: Position, level: number | null): number | null {
  const move = (one.price_current - one.price_open) * way(one);
  return level === null || move === 0 ? null : ((level - one.price_open) * way(one) * one.profit) / move;
}
