import assert from "node:assert/strict";
import { RING_HEADER, RING_RECORD, RING_VERSION } from "../kernels/mod.ts";
import { placeOf, README, TABLE_NAMES, tableRows } from "./_layout_tables.ts";
import { planIndex } from "./mod.ts";

const page = Deno.readTextFileSync(README);

for (const name of TABLE_NAMES) {
  Deno.test(`README.md shows ${name} as it is laid out`, () => {
    const { from, to } = placeOf(page, name);
    const [, , ...rows] = page.slice(from, to).trim().split("\n")
      .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
    assert.deepEqual(
      rows,
      tableRows(name),
      "stale: deno run -A lib/ring/_layout_tables.ts && deno fmt lib/ring/README.md",
    );
  });
}

Deno.test("README.md names the sizes and the version of the index", () => {
  const text = page.replace(/\s+/g, " ");
  assert.equal(RING_VERSION, 1);
  assert.ok(text.includes(`version ${RING_VERSION} of the layout`));
  assert.ok(text.includes(`header, ${RING_HEADER.$bytes} bytes`));
  assert.ok(text.includes(`record of ${RING_RECORD.$bytes} bytes`));
  assert.deepEqual(planIndex(1000), { locksAt: 4096, recordsAt: 12288, bytes: 270336 });
  assert.ok(text.includes("4096, 12288 and 270336"));
});
