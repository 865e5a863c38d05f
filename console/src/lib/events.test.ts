import { expect, test } from "vitest";
import { concerned } from "@/lib/events";

test("a filled order makes stale what it moves, once each", () => {
  expect(concerned("journal", "order_outcome").sort()).toEqual(["account", "deals", "orders", "positions", "risk", "trade-ideas", "trades"]);
});
test("a job's change concerns tasks whatever its kind is called", () => {
  expect(concerned("job", "idea_like_name")).toContain("tasks");
});
test("a kind that nobody knows concerns nothing", () => {
  expect(concerned("journal", "toString")).toEqual([]);
});
