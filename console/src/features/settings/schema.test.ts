import { expect, test } from "vitest";
import { leaves, partsOf, patchOf, put } from "./schema";

test("a patch holds only what differs, and null takes a key back", () => {
  const before = { a: 1, part: { x: 1, y: [1, 2] }, gone: 3 };
  const after = { a: 1, part: { x: 1, y: [2, 1] }, gone: null };
  expect(patchOf(before, after)).toEqual({ part: { y: [2, 1] }, gone: null });
  expect(leaves(patchOf(before, after))).toBe(2);
  expect(put({ part: null }, "part.x", 2)).toEqual({ part: { x: 2 } });
});

test("a field says what it may be in the schema's own bounds", () => {
  const [top, part] = partsOf("Limits", {
    Limits: { properties: { cap: { type: "number", exclusiveMinimum: 0, maximum: 1, default: 0.5, description: "A cap." }, day: { anyOf: [{ $ref: "#/components/schemas/Day" }, { type: "null" }] } } },
    Day: { description: "Of a day.", properties: { limit: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null } } },
  });
  expect(top?.fields[0]).toMatchObject({ key: "cap", kind: "number", share: true, about: "A cap.", range: "above 0 to 1 · a share: 0.05 is 5 % · default 0.5" });
  expect(part).toMatchObject({ key: "day", nullable: true, about: "Of a day.", usual: { limit: null } });
  expect(part?.fields[0]).toMatchObject({ key: "day.limit", kind: "integer", nullable: true, range: "1 or more · may be empty · default none" });
});
