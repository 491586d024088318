import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  bitshuffleScratchBytes,
  bytesOf,
  compressChunk,
  compressChunkWithin,
  compressedBound,
  type ElementBytes,
  kernelMemory,
  spillBytes,
} from "./mod.ts";
import { TestMemory } from "./_testing.ts";

const on = kernelMemory(new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true }));
const memory = new TestMemory(on);

/** Elements of which the lowest `bits` bits are noise: from all zeros to what nothing compresses. */
function elementsOf(bytes: number, elementBytes: number, bits: number, seed: number): Uint8Array {
  let x = seed;
  const random = (): number => {
    x ^= x << 13, x ^= x >>> 17, x ^= x << 5;
    return x >>> 8;
  };
  return new Uint8Array(bytes).map((_, i) => {
    const noisy = Math.min(8, Math.max(0, bits - 8 * (i % elementBytes)));
    return random() & ((1 << noisy) - 1);
  });
}

/** Compares quickly, also where a difference would fill pages. */
function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

/** The chunk by both, the second into so much room. */
function both(
  input: Uint8Array,
  elementBytes: ElementBytes,
  blockElements: number,
  roomOf: (bytes: number) => number,
): { whole: Uint8Array; room: number; fitted: Uint8Array | undefined } {
  memory.reset();
  const elements = input.length / elementBytes;
  const scratch = memory.room(bitshuffleScratchBytes(elements, elementBytes, blockElements));
  const from = memory.put(input);
  const large = memory.room(compressedBound(elements, elementBytes, blockElements));
  const options = { from, elementBytes, scratch, blockElements };
  const bytes = compressChunk(on, { ...options, to: large });
  const room = roomOf(bytes);
  const to = memory.room(room);
  const spill = memory.room(spillBytes(elementBytes, blockElements));
  const fitted = compressChunkWithin(on, { ...options, to, spill });
  memory.checkCanaries();
  return {
    whole: bytesOf(on, { at: large.at, bytes }).slice(),
    room,
    fitted: fitted === undefined ? undefined : bytesOf(on, { at: to.at, bytes: fitted }).slice(),
  };
}

Deno.test("compressChunkWithin() makes the same chunk if there is room for it, and writes nothing else", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<ElementBytes>(1, 2, 4, 8),
      fc.integer({ min: 0, max: 5_000 }),
      fc.integer({ min: 0, max: 33 }),
      fc.constantFrom(8, 64, 1024),
      fc.constantFrom(-9999, -40, -1, 0, 1, 300, 9000),
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      (elementBytes, elements, bits, block, more, seed) => {
        const input = elementsOf(elements * elementBytes, elementBytes, bits, seed);
        const { whole, room, fitted } = both(
          ...[input, elementBytes, block] as const,
          (bytes) => Math.max(0, bytes + more),
        );
        assert.ok(isSame(fitted, room >= whole.length ? whole : undefined));
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("compressChunkWithin() puts images into slots of their own size, but for noise", () => {
  for (const [bits, fits] of [[0, true], [2, true], [12, true], [16, false]] as const) {
    const input = elementsOf(2 * 40_000, 2, bits, 7);
    const { whole, fitted } = both(input, 2, 4096, () => input.length);
    assert.ok(isSame(fitted, fits ? whole : undefined), `${bits} bits`);
  }
});

Deno.test("compressChunkWithin() says what is too small", () => {
  memory.reset();
  const from = memory.room(1024), to = memory.room(1024), scratch = memory.room(131_072);
  const options = { from, elementBytes: 2, to, scratch } as const;
  assert.throws(
    () => compressChunkWithin(on, { ...options, spill: memory.room(16) }),
    /The spill has 16 bytes, expected at least \d+/,
  );
  assert.throws(
    () =>
      compressChunkWithin(on, {
        ...options,
        scratch: { at: scratch.at, bytes: 16 },
        spill: memory.room(spillBytes(2)),
      }),
    /The scratch memory has 16 bytes, expected at least \d+/,
  );
});
