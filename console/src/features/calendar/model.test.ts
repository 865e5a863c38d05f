import { expect, test } from "vitest";
import { against, differences, type Event } from "./model";

const event = (at: string, more: Partial<Event> = {}): Event => ({
  key: `${at}|USD|CPI`, title: "CPI", currency: "USD", at, all_day: false, tentative: false, impact: "high", forecast: "0.3%", previous: "0.2%", actual: null, source: "x", first_seen_at: null, ...more,
});
const [one, other, third] = ["2026-01-02T13:30:00Z", "2026-01-02T14:00:00Z", "2026-01-09T13:30:00Z"];

test("a moved event is one event where title and currency leave no doubt, else two", () => {
  expect([...differences([event(one)], [event(other)], "later")]).toEqual([[`${other}|USD|CPI`, ["moved from 2026-01-02 13:30"]]]);
  expect([...differences([event(one)], [event(other), event(third)], "later").values()]).toEqual([["new"], ["new"]]);
  expect([...differences([event(one)], [], "earlier").values()]).toEqual([["no longer named"]]);
});
test("what came later is told beside what was known then", () => {
  expect([...differences([event(one)], [event(one, { forecast: "0.4%", actual: "0.1%" })], "earlier").values()]).toEqual([["forecast: 0.3% → 0.4%", "actual: — → 0.1%"]]);
  expect(differences([event(one)], [event(one)], "later").size).toBe(0);
});
test("figures are compared as numbers of one unit only", () => {
  expect([against("0.4%", "0.3%"), against("-7.3K", "18.2K"), against("3.75%", "3.75%"), against("1.2M", "900K"), against("0-6-3", "0-4-5"), against(null, "1"), against("10%", "9%")]).toEqual([1, -1, 0, null, null, null, 1]);
});
