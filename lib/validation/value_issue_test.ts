import assert from "node:assert/strict";
import { z } from "zod";
import { issuesText, type SchemaIssue, valueIssues } from "./value_issue.ts";

/** What is said of a value. */
function said(schema: z.ZodType, value: unknown): string {
  const { error } = schema.safeParse(value);
  return error === undefined ? "nothing" : issuesText(error.issues, value, "the request");
}

const CASES: readonly [schema: z.ZodType, value: unknown, text: string][] = [
  // Types
  [z.object({ a: z.string() }), {}, "a: expected a text, but it is missing"],
  [z.object({ a: z.string() }), { a: 5 }, "a: expected a text, but it is 5"],
  [z.object({ a: z.string() }), [], "the request: expected an object, but it is []"],
  [z.object({ a: z.string() }), undefined, "the request: expected an object, but it is missing"],
  [z.number(), "5", 'the request: expected a number, but it is "5"'],
  [z.number(), NaN, "the request: expected a number, but it is NaN"],
  [z.int(), 1.5, "the request: expected a whole number, but it is 1.5"],
  [z.boolean(), "yes", 'the request: expected true or false, but it is "yes"'],
  [z.array(z.string()), "a", 'the request: expected a list, but it is "a"'],
  [z.record(z.string(), z.int()), { x: "1" }, 'x: expected a number, but it is "1"'],
  [z.null(), 0, "the request: expected null, but it is 0"],
  // Values
  [z.enum(["a", "b"]), "c", 'the request: expected one of "a", "b", but it is "c"'],
  [z.literal("a"), "c", 'the request: expected "a", but it is "c"'],
  // Bounds
  [z.number().min(1), 0, "the request: expected a number of at least 1, but it is 0"],
  [z.number().gt(1), 1, "the request: expected a number above 1, but it is 1"],
  [z.int().max(9), 10, "the request: expected a number of at most 9, but it is 10"],
  [z.number().lt(9), 9, "the request: expected a number below 9, but it is 9"],
  [z.number().multipleOf(5), 7, "the request: expected a multiple of 5, but it is 7"],
  [z.string().min(1), "", 'the request: expected a text of at least 1 character, but it is ""'],
  [
    z.string().max(2),
    "abc",
    'the request: expected a text of at most 2 characters, but it is "abc"',
  ],
  [z.string().length(2), "a", 'the request: expected a text of 2 characters, but it is "a"'],
  [
    z.array(z.int()).min(2),
    [1],
    "the request: expected a list of at least 2 elements, but it is [1]",
  ],
  // Forms
  [z.url(), "x", 'the request: expected a text in the form of url, but it is "x"'],
  [
    z.string().startsWith("/"),
    "x",
    'the request: expected a text that begins with "/", but it is "x"',
  ],
  [z.string().regex(/^a/), "x", 'the request: expected a text that matches /^a/, but it is "x"'],
  // Objects
  [
    z.strictObject({ a: z.int().optional() }),
    { b: 1, c: 2 },
    "b: expected no field of this name: remove it, or check the name, but it is 1; " +
    "c: expected no field of this name: remove it, or check the name, but it is 2",
  ],
  [z.record(z.enum(["a"]), z.int()), { a: 1, b: 2 }, "b: expected no field of this name"],
  [
    z.record(z.string().min(2), z.int()),
    { a: 1 },
    "a: expected the key to be a text of at least 2",
  ],
  // Alternatives
  [
    z.union([z.string(), z.array(z.string())]),
    5,
    "the request: expected a text, or a list, but it is 5",
  ],
  [z.union([z.string(), z.array(z.string())]), [1], "[0]: expected a text, but it is 1"],
  [
    z.discriminatedUnion("kind", [z.object({ kind: z.literal("a") })]),
    { kind: "b" },
    "kind: expected ",
  ],
  // Texts of a schema's own
  [
    z.int("a whole number of images"),
    "x",
    'the request: expected a whole number of images, but it is "x"',
  ],
  [z.int("expected  a whole  number."), 0.5, "the request: expected a whole number, but it is 0.5"],
  [z.string("must be a text"), 1, "the request: expected a text, but it is 1"],
  [
    z.int().refine((n) => n > 3, "Invalid shot"),
    1,
    "the request: expected Invalid shot, but it is 1",
  ],
  [z.int().refine((n) => n > 3), 1, "the request: expected another value, but it is 1"],
  // Values that are hard to show
  [
    z.object({ run: z.string() }),
    { run: 2n ** 60n },
    "run: expected a text, but it is 1152921504606846976",
  ],
  [
    z.object({ "a b": z.int() }),
    { "a b": "\u001b[2J" },
    '["a b"]: expected a number, but it is "\\u001b[2J"',
  ],
  [
    z.object({ a: z.int() }),
    { a: "x".repeat(10_000) },
    'a: expected a number, but it is "xxx',
  ],
];

for (const [schema, value, text] of CASES) {
  Deno.test(`issuesText() says: ${text}`, () => {
    const is = said(schema, value);
    assert.ok(is.startsWith(text), is);
    assert.doesNotMatch(is, / {2}|undefined|Invalid (input|option)|Too (big|small)|Unrecognized/);
    assert.ok(is.length < 400, is);
  });
}

Deno.test("issuesText() takes what other checkers say", () => {
  const issues: SchemaIssue[] = [{ path: ["a"], message: "a number" }, {
    path: [],
    message: "more",
  }];
  assert.equal(
    issuesText(issues, { a: "1" }, "the config"),
    'a: expected a number, but it is "1"; the config: expected more, but it is {"a":"1"}',
  );
});

Deno.test("valueIssues() finds values through lists and objects, and none that are inherited", () => {
  const value = { list: [{ port: -1 }], toString: undefined };
  const schema = z.object({ list: z.array(z.object({ port: z.int().min(0), valueOf: z.int() })) });
  const { error } = schema.safeParse(value);
  assert.deepEqual(valueIssues(error?.issues ?? [], value), [
    { path: "list[0].port", value: -1, expected: "a number of at least 0" },
    { path: "list[0].valueOf", value: undefined, expected: "a number" },
  ]);
});
