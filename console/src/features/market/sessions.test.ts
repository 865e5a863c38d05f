import { expect, test } from "vitest";
import { inSessions } from "./sessions";

const HOUR = 3600;
const hours = (day: string): number[] => Array.from({ length: 24 }, (_, hour) => Date.parse(`${day}T00:00:00Z`) / 1000 + hour * HOUR);
const LONDON = [{ name: "London", zone: "Europe/London", start: 8, end: 17 }];

test("London's hours are an hour earlier by UTC in summer", () => {
  expect(inSessions(hours("2014-01-07"), LONDON)).toEqual([{ name: "London", from: 8, to: 16 }]);
  expect(inSessions(hours("2014-05-07"), LONDON)).toEqual([{ name: "London", from: 7, to: 15 }]);
});
