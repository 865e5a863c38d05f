import { expect, test } from "vitest";
import { worthAt, type Position } from "./model";

const of = (given: Partial<Position>): Position => ({ side: "buy", price_open: 100, price_current: 102, profit: 20, ...given }) as Position;

test("two up are worth 20, so a stop four below the open loses 40", () => {
  expect(worthAt(of({}), 96)).toBe(-40);
  expect(worthAt(of({ side: "sell", price_current: 98 }), 104)).toBe(-40);
  expect(worthAt(of({ price_current: 100, profit: 0 }), 96)).toBeNull();
  expect(worthAt(of({}), null)).toBeNull();
});
