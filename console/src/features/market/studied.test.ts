import { expect, test } from "vitest";
import { onPrice, rowsOf } from "./Studied";

test("an indicator is drawn on the candles only where all that is known of it lies near them", () => {
  expect(onPrice([null, 1.1, 1.105], 1.09, 1.11)).toBe(true);
  expect(onPrice([null, 55, 61], 1.09, 1.11)).toBe(false);
  expect(onPrice([0.0003, -0.0002], 1.09, 1.11)).toBe(false);
  expect(onPrice([null, null], 1.09, 1.11)).toBe(false);
});

test("the strip has a row for each condition of both sides, longs first", () => {
  const side = (direction: string, condition: string) => ({ direction, signal: [false], conditions: [{ role: "entry", pointer: "/x", condition, meaning: "", holds: [null] }] });
  const rows = rowsOf({ strategy: "S", symbol: "EURUSD", timeframe: "H1", times: [0], indicators: [], in_session: [true], sides: [side("long", "a"), side("short", "b")] });
  expect(rows.map(({ way, text }) => [way, text])).toEqual([["up", "a"], ["down", "b"]]);
});
