import assert from "node:assert/strict";
import { z } from "zod";
import { unknownFields } from "./unknown_fields.ts";

const SCHEMA = z.object({
  answer: z.string().default("done"),
  limits: z.object({ low: z.int(), high: z.int() }).optional(),
  outputs: z.array(z.union([z.object({ file: z.string() }), z.object({ port: z.int() })])).default(
    [],
  ),
  by_name: z.record(z.string(), z.object({ on: z.boolean() })).optional(),
  free: z.looseObject({ a: z.int() }).optional(),
  strict: z.strictObject({ a: z.int() }).optional(),
  any: z.unknown(),
  path: z.string().transform((text) => text.length).optional(),
});

for (
  const [value, told] of [
    [{ answer: "x", limits: { low: 1, high: 2 }, any: { x: 1 }, path: "" }, []],
    [{ answr: "x" }, ["unknown field answr is ignored; did you mean answer?"]],
    [{ limits: { low: 1, hgh: 2 } }, [
      "unknown field limits.hgh is ignored; did you mean high?",
    ]],
    [{ outputs: [{ file: "a" }, { prt: 1 }] }, [
      "unknown field outputs[1].prt is ignored; did you mean port?",
    ]],
    [{ by_name: { a: { on: true, speed: 1 } } }, [
      "unknown field by_name.a.speed is ignored; remove it or check its name",
    ]],
    [{ free: { b: 1 }, strict: { b: 1 } }, []], // kept; refused by the schema itself
    [[], []],
    [null, []],
  ] as const
) {
  Deno.test(`unknownFields() of ${JSON.stringify(value)}`, () => {
    assert.deepEqual(unknownFields(SCHEMA, value), told);
  });
}

Deno.test("unknownFields() tells nothing of what it cannot see into", () => {
  for (
    const schema of [z.unknown(), z.record(z.string(), z.int()), { safeParse: () => {} }, null]
  ) {
    assert.deepEqual(unknownFields(schema, { a: 1 }), []);
  }
});
