import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runnables } from "./arguments";

const described: unknown = JSON.parse(readFileSync(new URL("../../../openapi.json", import.meta.url), "utf8"));

test("arguments come from the API's description, also through a body that may be absent", () => {
  const found = runnables(described as never);
  const logs = found.find(({ name }) => name === "cleanup-logs");
  expect(logs?.arguments.map(({ name, kind, usual, least, most }) => [name, kind, usual, least, most])).toEqual([
    ["days_to_keep", "number", 30, 1, 3650], ["dry_run", "yes-no", false, undefined, undefined],
  ]);
  expect(found.find(({ name }) => name === "backtest")?.arguments.filter(({ required }) => required).map(({ name }) => name).sort()).toEqual(["strategy_name", "symbol"]);
  expect(found.find(({ name }) => name === "health-check")?.arguments).toEqual([]);
  expect(found).toHaveLength(12);
});
