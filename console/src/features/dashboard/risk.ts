import type { Schemas } from "@/lib/api";

/**
 * What would be lost at the stops, in account currency, scaled by what the price has moved and made so far.
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
    else if (money !== null) money += Math.max(0, ((price_current - stop) * way * profit) / moved - profit);
  }
  return { money, unbounded };
}
