import { expect, test } from "vitest";
import { offsetOf } from "./moment";

test("a server's clock follows the daylight saving of its zone, not of today", () => {
  expect(offsetOf("America/New_York+7", Date.UTC(2014, 4, 7, 12))).toBe(3 * 3600); // EDT is UTC-4
  expect(offsetOf("America/New_York+7", Date.UTC(2014, 0, 7, 12))).toBe(2 * 3600);
  expect(offsetOf("America/New_York+7", Date.UTC(2014, 2, 9, 6, 59, 59))).toBe(2 * 3600);
  expect(offsetOf("America/New_York+7", Date.UTC(2014, 2, 9, 7))).toBe(3 * 3600);
  expect(offsetOf("Europe/Athens", Date.UTC(2014, 6, 1))).toBe(3 * 3600);
  expect(offsetOf("UTC", 0)).toBe(0);
  expect(offsetOf("UTC-3:30", 0)).toBe(-12600);
  expect(offsetOf("Nowhere/Land", 0)).toBeNull();
});
