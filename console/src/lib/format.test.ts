import { describe, expect, test } from "vitest";
import { between, clock, csv, digitsOf, duration, inR, money, percent, priceParts, relative, typed } from "@/lib/format";

describe("numbers", () => {
  test("what is not known is never zero", () => {
    for (const nothing of [null, undefined, Number.NaN, Infinity]) {
      expect(money(nothing, "USD")).toBe("—");
      expect(percent(nothing)).toBe("—");
      expect(inR(nothing)).toBe("—");
      expect(duration(nothing)).toBe("—");
      expect(priceParts(nothing, 5)).toBeNull();
    }
  });
  test("money has its sign, and a zero that rounding made has none", () => {
    expect(money(1234.5, "USD")).toBe("+1,234.50 USD");
    expect(money(-0.5, "USD")).toBe("−0.50 USD");
    expect(money(-0.001, "USD")).toBe("0.00 USD");
    expect(money(10000, "JPY", { digits: 0, signed: false })).toBe("10,000 JPY");
  });
  test("a price's pip is the last digit but one where the broker quotes a tenth of it", () => {
    expect(priceParts(1.38725, 5)).toEqual({ head: "1.38", pip: "72", last: "5" });
    expect(priceParts(101.4, 3)).toEqual({ head: "101.", pip: "40", last: "0" });
    expect(priceParts(2392.7, 2)).toEqual({ head: "2392.", pip: "70", last: "" });
    expect(priceParts(16500, 0)).toEqual({ head: "16500", pip: "", last: "" });
  });
  test("digits of a tick size, also in scientific notation", () => {
    expect([0.00001, 0.0000001, 0.25, 1, 1e-5].map(digitsOf)).toEqual([5, 7, 2, 0, 5]);
  });
});

describe("time", () => {
  test("durations carry from unit to unit", () => {
    expect([0, 0.25, 59.6, 3600, 86399.9, 93784, -61].map(duration)).toEqual(
      ["0 s", "250 ms", "1 min", "1 h", "1 d", "1 d 2 h", "−1 min 1 s"],
    );
  });
  test("ages behind and ahead", () => {
    expect(relative(0, 12_900)).toBe("12 s ago");
    expect(relative(3_600_000, 0)).toBe("in 1 h");
    expect(relative(0, 500)).toBe("now");
  });
  test("the broker's clock crosses midnight before UTC does", () => {
    expect(clock(Date.UTC(2014, 4, 31, 22, 30, 5), 10800)).toBe("2014-06-01 01:30:05");
  });
});

test("a cell that a spreadsheet would run is text; a negative number stays one", () => {
  expect(csv([["=1+1", "@x", -5, 'a "b", c', null]])).toBe(`'=1+1,'@x,-5,"a ""b"", c",\r\n`);
});

test("a price between stop and target, for both sides, never outside", () => {
  expect(between(1.5, 1, 2)).toBe(0.5);
  expect(between(1.25, 2, 1)).toBe(0.75);
  expect(between(3, 1, 2)).toBe(1);
  expect(between(1, null, 2)).toBeNull();
});

test("a field's number is one also where it ends in a zero, and nothing is no number", () => {
  expect([typed("0.72240"), typed(1.5), typed("0"), typed(""), typed(" "), typed("-"), typed("1.0.0")]).toEqual([0.7224, 1.5, 0, null, null, null, null]);
});
