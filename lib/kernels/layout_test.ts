import assert from "node:assert/strict";
import fc from "fast-check";
import {
  defineLayout,
  type FieldRow,
  FRAME_ENTRY,
  RECEIVE_COUNTERS,
  RING_HEADER,
  RING_MAGIC,
  RING_RECORD,
  TABLES,
} from "./layout.ts";
import { MAX_COUNTERS } from "../ring/mod.ts";

function sizeOf([type]: FieldRow): number {
  return type === "u32" ? 4 : type === "u64" ? 8 : type.bytes;
}

function alignmentOf([type]: FieldRow): number {
  return type === "u32" ? 4 : 8;
}

/** Fields in the order of a table: no overlap, each on its natural alignment, all inside. */
function checkTable(rows: Record<string, FieldRow>, offsets: Record<string, number>): void {
  let end = 0;
  for (const [field, row] of Object.entries(rows)) {
    const at = offsets[field]!;
    assert.ok(at >= end, `${field} at ${at} begins before ${end}`);
    assert.ok(at - end < 8, `${field} at ${at} leaves a hole after ${end}`);
    assert.equal(at % alignmentOf(row), 0, `${field} at ${at} is not aligned`);
    end = at + sizeOf(row);
  }
  assert.ok(offsets.$bytes! >= end, `${offsets.$bytes} bytes, the fields end at ${end}`);
}

for (const [name, { rows, offsets }] of TABLES) {
  Deno.test(`${name} has no overlapping, unaligned or undescribed fields`, () => {
    checkTable(rows, offsets);
    for (const [field, [, writer, meaning]] of Object.entries(rows)) {
      const filler = field.startsWith("padding") || field === "reserved";
      if (!filler) {
        assert.ok(writer.length > 1 && meaning.length > 1, `${field} has no description`);
      }
    }
  });
}

Deno.test("defineLayout() places any fields without overlap on their alignment", () => {
  const type = fc.oneof(
    fc.constant("u32" as const),
    fc.constant("u64" as const),
    fc.record({ bytes: fc.integer({ min: 0, max: 100 }) }),
  );
  const align = fc.constantFrom(8, 64, 4096);
  fc.assert(fc.property(fc.array(type, { minLength: 1, maxLength: 30 }), align, (types, align) => {
    const rows: Record<string, FieldRow> = {};
    types.forEach((t, i) => rows[`field${i}`] = [t, "test", "test"]);
    try {
      const offsets = defineLayout("TEST", rows, align);
      checkTable(rows, offsets);
      assert.equal(offsets.$bytes % align, 0);
    } finally {
      TABLES.delete("TEST");
    }
  }));
});

Deno.test("the ring's tables have the sizes that other releases and processes rely on", () => {
  assert.equal(RING_HEADER.$bytes, 4096);
  assert.equal(RING_RECORD.$bytes, 256);
  assert.equal(RING_HEADER.head % 64, 0);
  assert.equal(RING_HEADER.counters - RING_HEADER.head, 64);
  assert.equal(FRAME_ENTRY.bitmap, FRAME_ENTRY.$bytes);
  assert.ok(RECEIVE_COUNTERS.length <= MAX_COUNTERS);
  const magic = new DataView(new ArrayBuffer(8));
  magic.setBigUint64(0, RING_MAGIC, true);
  assert.equal(new TextDecoder().decode(magic), "STDAQRNG");
});

Deno.test("the generated layout and signatures of the kernels are up to date", async () => {
  const script = new URL("../../scripts/build.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", script, "--check"],
    stdout: "null",
    stderr: "piped",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
});
