import { expect, test } from "vitest";
import { histogram, sums, type Trade } from "./trades";

test("results in R fall into steps of a half, losses below zero, empty steps shown", () => {
  expect(histogram([-1, -1.01, 0, 0.49, 0.5, 1.2])).toEqual([
    { from: -1.5, count: 1 }, { from: -1, count: 1 }, { from: -0.5, count: 0 }, { from: 0, count: 2 }, { from: 0.5, count: 1 }, { from: 1, count: 1 },
  ]);
  expect(histogram([])).toEqual([]);
});

test("closed results add up in the order of closing, the unknown left out", () => {
  const at = (exit_time: string, net: number | null): Trade => ({ exit_time, net }) as Trade;
  const rows = [at("2014-05-07T03:00:00Z", 0.1), at("2014-05-07T02:00:00Z", null), at("2014-05-07T01:00:00Z", 0.2)];
  expect(sums(rows).map(([, sum]) => sum)).toEqual([0.2, 0.3]);
});
