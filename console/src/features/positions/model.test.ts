import { expect, test } from "vitest";
import { moved, worthAt, type Position } from "./model";

const of = (given: Partial<Position>): Position => ({ side: "buy", price_open: 100, price_current: 102, profit: 20, ...given }) as Position;

test("a short that fell by half its stop's distance has moved half an R", () => {
  expect(moved(of({ side: "sell", price_open: 100, price_current: 99 }), 102)).toBe(0.5);
  expect(moved(of({}), undefined)).toBeNull();
  expect(moved(of({}), 101)).toBeNull(); // a first stop beyond the open bounds no risk
});
test("two up are worth 20, so a stop four below the open loses 40", () => {
  expect(worthAt(of({}), 96)).toBe(-40);
  expect(worthAt(of({ side: "sell", price_current: 98 }), 104)).toBe(-40);
  expect(worthAt(of({ price_current: 100, profit: 0 }), 96)).toBeNull();
  expect(worthAt(of({}), null)).toBeNull();
});
