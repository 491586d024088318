import assert from "node:assert/strict";
import fc from "fast-check";
import { type File, File as OsFile } from "../os/mod.ts";
import { ChunkIndex, FAN_OUT, UNDEFINED_ADDRESS } from "./_chunk_index.ts";
import { FileSpace } from "./_space.ts";
import { TestFolder } from "./_testing.ts";

const CHUNK = [1, 3, 5] as const;
const KEY_BYTES = 40;
const ENTRY_BYTES = KEY_BYTES + 8;

interface Leaf {
  rows: number[];
  chunks: number[];
}

/** Walks the index from its root, checking each node against its parent and its siblings. */
function walk(file: File, root: number): Leaf & { levels: number; nodes: number } {
  const read = (at: number): DataView => {
    const bytes = new Uint8Array(4096);
    assert.equal(file.readAt(bytes, at), 4096);
    return new DataView(bytes.buffer);
  };
  const key = (node: DataView, i: number): number =>
    Number(node.getBigUint64(32 + i * ENTRY_BYTES, true));
  const found: Leaf = { rows: [], chunks: [] };
  let nodes = 0;
  const lastOfLevel = new Map<number, { address: number; right: bigint }>();
  const visit = (address: number, level: number, from: number, to: number): void => {
    const node = read(address);
    nodes++;
    assert.equal(new TextDecoder().decode(new Uint8Array(node.buffer, 0, 4)), "TREE");
    assert.equal(node.getUint8(4), 1);
    assert.equal(node.getUint8(5), level);
    const entries = node.getUint16(6, true);
    assert.ok(entries >= 1 && entries <= FAN_OUT);
    const left = lastOfLevel.get(level);
    assert.equal(node.getBigUint64(8, true), left ? BigInt(left.address) : UNDEFINED_ADDRESS);
    if (left) assert.equal(left.right, BigInt(address));
    lastOfLevel.set(level, { address, right: node.getBigUint64(16, true) });
    assert.equal(key(node, 0), from);
    assert.equal(key(node, entries), to);
    for (let i = 0; i < entries; i++) {
      const child = Number(node.getBigUint64(24 + i * ENTRY_BYTES + KEY_BYTES, true));
      assert.ok(key(node, i) < key(node, i + 1));
      if (level > 0) {
        visit(child, level - 1, key(node, i), key(node, i + 1));
      } else {
        found.rows.push(key(node, i));
        found.chunks.push(child);
      }
    }
  };
  const levels = read(root).getUint8(5) + 1;
  const top = read(root);
  visit(root, levels - 1, key(top, 0), key(top, top.getUint16(6, true)));
  for (const { right } of lastOfLevel.values()) assert.equal(right, UNDEFINED_ADDRESS);
  return { ...found, levels, nodes };
}

function withIndex(
  use: (index: ChunkIndex, file: File, append: (n: number) => void) => void,
): void {
  using folder = new TestFolder();
  using file = OsFile.open(folder.file(), { write: true, create: "exclusive" });
  const space = new FileSpace(file, 100, false);
  const index = new ChunkIndex(CHUNK, 2, space);
  use(index, file, (n) => {
    for (let i = 0; i < n; i++) {
      space.ensurePages(index.pagesForNext(1));
      index.append(1_000_000 + 30 * index.chunks, 30);
    }
  });
}

Deno.test("publish() leaves a well-formed index of all chunks after any mix of appends", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 150 }), { minLength: 1, maxLength: 20 }),
      (steps) => {
        withIndex((index, file, append) => {
          let total = 0;
          for (const step of steps) {
            append(step);
            total += step;
            const root = index.publish(file);
            if (root === undefined) {
              assert.equal(total, 0);
              continue;
            }
            const { rows, chunks } = walk(file, root);
            assert.deepEqual(rows, Array.from({ length: total }, (_, i) => i));
            assert.deepEqual(chunks, rows.map((row) => 1_000_000 + 30 * row));
          }
        });
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("publish() grows the index by a level at 64 and at 64 × 64 chunks", () => {
  withIndex((index, file, append) => {
    const levels = (total: number): number => {
      append(total - index.chunks);
      const walked = walk(file, index.publish(file)!);
      assert.equal(walked.rows.length, total);
      return walked.levels;
    };
    assert.deepEqual([1, 64, 65, 4096, 4097, 9000].map(levels), [1, 1, 2, 2, 3, 3]);
  });
});

Deno.test("publish() of nothing new writes nothing and names the same root", () => {
  withIndex((index, file, append) => {
    assert.equal(index.publish(file), undefined);
    append(70);
    const root = index.publish(file);
    file.writeAt = (): void => assert.fail("written");
    assert.equal(index.publish(file), root);
  });
});

Deno.test("a chunk index refuses more dimensions than fit in a page", () => {
  using folder = new TestFolder();
  using file = OsFile.open(folder.file(), { write: true, create: "exclusive" });
  const space = new FileSpace(file, 0, false);
  assert.throws(() => new ChunkIndex([1, 1, 1, 1, 1, 1], 2, space), RangeError);
});
