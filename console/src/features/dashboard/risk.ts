import type { Schemas } from "@/lib/api";

/**
 * What would be lost at the stops, in account currency, by what the move so far was worth.
 * Null where a position has not moved, so that the worth of a move is not known from it.
 */
export function openRisk(items: readonly Schemas["PositionRow"][]): { money: number | null; unbounded: number } {
  let money: number | null = 0;
  let unbounded = 0;
  for (const { stop, price_open, price_current, profit, side } of items) {
    if (stop === null) {
      unbounded += 1;
      continue;
    }
    const way = side === "buy" ? 1 : -1;
    const moved = (price_current - price_open) * way;
    if (moved === 0) money = null;
    else if (money !== null) money += Math.max(0, ((price_open - stop) * way * profit) / moved);
  }
  return { money, unbounded };
}
