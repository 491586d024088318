import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import {
  bitshuffleScratchBytes,
  bytesOf,
  CHUNK_HEADER_BYTES,
  compressChunk,
  compressedBound,
  CompressedChunkError,
  decompressChunk,
  defaultBlockElements,
  type ElementBytes,
  kernelMemory,
  lz4Bound,
  readChunkHeader,
  type Region,
} from "./mod.ts";
import { fillCanaries, TestMemory } from "./_testing.ts";

const on = kernelMemory(
  new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true }),
);
const { kernels } = on;
const memory = new TestMemory(on);

const testdata = (name: string): string => new URL(`testdata/${name}`, import.meta.url).pathname;

/** Bitshuffle bit by bit: bit k of byte j of element e is bit e % 8 of byte e / 8 of row 8 j + k. */
function shuffled(input: Uint8Array, bytes: number, block: number): Uint8Array {
  const output = input.slice();
  const elements = input.length / bytes;
  for (let first = 0; first + 8 <= elements; first += block) {
    const n = Math.min(block, elements - first) & ~7;
    const row = n / 8;
    output.fill(0, first * bytes, (first + n) * bytes);
    for (let e = 0; e < n; e++) {
      for (let j = 0; j < bytes; j++) {
        const value = input[(first + e) * bytes + j]!;
        for (let k = 0; k < 8; k++) {
          const at = first * bytes + (8 * j + k) * row + (e >> 3);
          output[at] = output[at]! | (value >> k & 1) << (e & 7);
        }
      }
    }
  }
  return output;
}

/** Decompresses an LZ4 block by the letter of its format; undefined if it breaks it. */
function lz4Content(block: Uint8Array, room: number): Uint8Array | undefined {
  const output = new Uint8Array(room);
  let from = 0, to = 0;
  const rest = (length: number): number | undefined => {
    if (length < 15) return length;
    for (;;) {
      const more = block[from++];
      if (more === undefined) return undefined;
      length += more;
      if (more !== 255) return length;
    }
  };
  while (from < block.length) {
    const token = block[from++]!;
    const literals = rest(token >> 4);
    if (literals === undefined || from + literals > block.length || to + literals > room) {
      return undefined;
    }
    output.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === block.length) return output.subarray(0, to);
    if (from + 2 > block.length) return undefined;
    const distance = block[from]! + 256 * block[from + 1]!;
    from += 2;
    if (distance === 0 || distance > to) return undefined;
    const length = rest(token & 15);
    if (length === undefined || to + length + 4 > room) return undefined;
    for (let i = 0; i < length + 4; i++, to++) output[to] = output[to - distance]!;
  }
  return undefined;
}

/** The elements of a stream as the format describes it, by the references above. */
function streamContent(
  stream: Uint8Array,
  elements: number,
  bytes: number,
  block: number,
): Uint8Array {
  const parts: Uint8Array[] = [];
  const view = new DataView(stream.buffer, stream.byteOffset);
  let at = 0;
  for (let left = elements; left >= 8;) {
    const n = Math.min(left & ~7, block);
    const length = view.getUint32(at);
    at += 4;
    const content = lz4Content(stream.subarray(at, at + length), n * bytes);
    assert.equal(content?.length, n * bytes);
    parts.push(content!);
    at += length;
    left -= n;
  }
  parts.push(stream.subarray(at));
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Shuffles with the kernel, block by block. */
function shuffle(input: Uint8Array, bytes: number, block: number, back = false): Uint8Array {
  memory.reset();
  const from = memory.put(input), to = memory.room(input.length), work = memory.room(1024);
  const elements = input.length / bytes;
  const whole = elements & ~7;
  for (let e = 0; e < whole; e += block) {
    const n = Math.min(block, whole - e), at = e * bytes;
    const kernel = back ? kernels.bitunshuffle : kernels.bitshuffle;
    kernel(to.at + at, from.at + at, n, bytes, work.at);
  }
  bytesOf(on, to).set(input.subarray(whole * bytes), whole * bytes);
  memory.checkCanaries();
  return bytesOf(on, to).slice();
}

function chunkOf(
  input: Uint8Array,
  elementBytes: ElementBytes,
  blockElements = defaultBlockElements(elementBytes),
): Uint8Array {
  memory.reset();
  const elements = input.length / elementBytes;
  const scratch = memory.room(bitshuffleScratchBytes(elements, elementBytes, blockElements));
  const to = memory.room(compressedBound(elements, elementBytes, blockElements));
  const from = memory.put(input);
  const bytes = compressChunk(on, { from, elementBytes, to, scratch, blockElements });
  memory.checkCanaries();
  assert.deepEqual(bytesOf(on, from), input);
  return bytesOf(on, { at: to.at, bytes }).slice();
}

function elementsOf(chunk: Uint8Array, elementBytes: ElementBytes, bytes: number): Uint8Array {
  memory.reset();
  const scratch = memory.room(bitshuffleScratchBytes(65536, elementBytes, 65536));
  const to = memory.room(bytes);
  const from = memory.put(chunk);
  try {
    decompressChunk(on, { from, elementBytes, to, scratch });
  } finally {
    memory.checkCanaries();
  }
  return bytesOf(on, to).slice();
}

function fnv1a64(bytes: Uint8Array): string {
  let hash = 0x14650fb0739d0383n; // what the recording began with
  for (const byte of bytes) hash = (hash ^ BigInt(byte)) * 0x100000001b3n & 0xffffffffffffffffn;
  return hash.toString(16).padStart(16, "0");
}

interface Vector {
  elements: number;
  elementBytes: ElementBytes;
  blockElements: number;
  input: [number, number];
  stream: [number, number];
  shuffledFnv1a64: string;
}

const vectors: Vector[] = JSON.parse(Deno.readTextFileSync(testdata("bitshuffle.json")));
const recorded = new Uint8Array(gunzipSync(Deno.readFileSync(testdata("bitshuffle.bin.gz"))));
const cut = ([at, bytes]: [number, number]): Uint8Array => recorded.slice(at, at + bytes);

/** A stream with the header of a chunk. */
function withHeader(stream: Uint8Array, bytes: number, blockBytes: number): Uint8Array {
  const chunk = new Uint8Array(CHUNK_HEADER_BYTES + stream.length);
  const header = new DataView(chunk.buffer);
  header.setBigUint64(0, BigInt(bytes));
  header.setUint32(8, blockBytes);
  chunk.set(stream, CHUNK_HEADER_BYTES);
  return chunk;
}

Deno.test("bitshuffle() makes the same bytes as the original, and bitunshuffle() undoes them", () => {
  for (const { elementBytes, blockElements, input, shuffledFnv1a64 } of vectors) {
    const bytes = cut(input);
    const rows = shuffle(bytes, elementBytes, blockElements);
    assert.equal(fnv1a64(rows), shuffledFnv1a64);
    assert.deepEqual(shuffle(rows, elementBytes, blockElements, true), bytes);
  }
});

Deno.test("bitshuffle() puts each bit of each element in its place, among small elements", () => {
  const elements = 128; // a step of the kernel, which takes a short cut where all are below 256
  for (const elementBytes of [1, 2, 4, 8] as const) {
    const small = make({ kind: "counts", seed: 3 }, elements, elementBytes);
    const rows = shuffled(small, elementBytes, elements);
    for (let e = 0; e < elements; e++) {
      for (let bit = 0; bit < 8 * elementBytes; bit++) {
        const byte = e * elementBytes + (bit >> 3), at = bit * elements / 8 + (e >> 3);
        small[byte]! ^= 1 << (bit & 7);
        rows[at]! ^= 1 << (e & 7);
        const same = Buffer.compare(shuffle(small, elementBytes, elements), rows) === 0;
        assert.ok(same, `bit ${bit} of element ${e} of ${elementBytes} bytes`);
        small[byte]! ^= 1 << (bit & 7);
        rows[at]! ^= 1 << (e & 7);
      }
    }
  }
});

Deno.test("decompressChunk() reads the original's streams", () => {
  for (const { elementBytes, blockElements, input, stream } of vectors) {
    const chunk = withHeader(cut(stream), input[1], blockElements * elementBytes);
    assert.deepEqual(elementsOf(chunk, elementBytes, input[1]), cut(input));
  }
});

Deno.test("decompressChunk() reads an Eiger image that the original compressed", () => {
  const chunk = new Uint8Array(gunzipSync(Deno.readFileSync(testdata("eiger05m_chunk.bin.gz"))));
  assert.deepEqual(readChunkHeader(chunk), { bytes: 514 * 1030 * 2, blockBytes: 0 });
  const image = elementsOf(chunk, 2, 514 * 1030 * 2);
  assert.equal(
    createHash("sha256").update(image).digest("hex"),
    "2f4bb418904fb0b719a42221387646203a57a4b8cedae93b5a31a71f905114be",
  );
  const ours = chunkOf(image, 2);
  assert.ok(
    ours.length < 1.03 * chunk.length,
    `${ours.length} bytes, the original ${chunk.length}`,
  );
});

/** Data as detectors send it, and as they should not. */
const content = fc.record({
  kind: fc.constantFrom("noise", "counts", "zeros", "runs", "period"),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});

function make(
  { kind, seed }: { kind: string; seed: number },
  elements: number,
  bytes: number,
): Uint8Array {
  const output = new Uint8Array(elements * bytes);
  let x = seed;
  const random = (): number => {
    x ^= x << 13, x ^= x >>> 17, x ^= x << 5;
    return x >>> 0;
  };
  let value = random();
  const period = 1 + random() % 40;
  for (let i = 0; i < output.length; i++) {
    if (kind === "noise") output[i] = random() >>> 8;
    else if (kind === "counts") output[i] = i % bytes === 0 ? random() >>> 8 & 3 : 0;
    else if (kind === "runs") output[i] = random() % 50 === 0 ? value = random() : value;
    else if (kind === "period") output[i] = i < period ? random() : output[i - period]!;
  }
  return output;
}

const shape = fc.record({
  elements: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 3000 })),
  elementBytes: fc.constantFrom<ElementBytes>(1, 2, 4, 8),
  blockElements: fc.oneof(
    fc.integer({ min: 1, max: 20 }).map((n) => 8 * n),
    fc.integer({ min: 1, max: 1024 }).map((n) => 8 * n),
  ),
  content,
});

Deno.test("compressChunk() makes blocks of shuffled elements, and decompressChunk() undoes it", () => {
  fc.assert(
    fc.property(shape, ({ elements, elementBytes, blockElements, content }) => {
      const input = make(content, elements, elementBytes);
      const chunk = chunkOf(input, elementBytes, blockElements);
      assert.deepEqual(readChunkHeader(chunk), {
        bytes: input.length,
        blockBytes: blockElements * elementBytes,
      });
      assert.deepEqual(
        streamContent(
          chunk.subarray(CHUNK_HEADER_BYTES),
          elements,
          elementBytes,
          blockElements,
        ),
        shuffled(input, elementBytes, blockElements),
      );
      assert.deepEqual(elementsOf(chunk, elementBytes, input.length), input);
    }),
    { numRuns: 200 },
  );
});

Deno.test("compressChunk() makes the same chunk of the same elements, whatever was compressed before", () => {
  const input = make({ kind: "counts", seed: 5 }, 3000, 2);
  const first = chunkOf(input, 2);
  chunkOf(make({ kind: "noise", seed: 6 }, 3000, 2), 2);
  assert.deepEqual(chunkOf(input, 2), first);
});

Deno.test("compressChunk() does so with blocks beyond the 64 KiB of a match's distance", () => {
  for (const kind of ["counts", "runs", "noise"]) {
    const input = make({ kind, seed: 7 }, 50_000, 4);
    const chunk = chunkOf(input, 4, 50_000);
    assert.deepEqual(
      streamContent(chunk.subarray(CHUNK_HEADER_BYTES), 50_000, 4, 50_000),
      shuffled(input, 4, 50_000),
    );
    assert.deepEqual(elementsOf(chunk, 4, input.length), input);
  }
});

/** What a bad source may do to a chunk. */
const damage = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    value: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 255, 0xf0, 0x0f)),
  }),
  { maxLength: 6 },
);

Deno.test("decompressChunk() refuses damaged chunks, or makes elements of them, and writes nothing else", () => {
  const length = fc.oneof(fc.constant(0), fc.integer({ min: -200, max: 200 }));
  let refused = 0;
  fc.assert(
    fc.property(shape, damage, length, (s, damage, longer) => {
      const input = make(s.content, s.elements, s.elementBytes);
      const chunk = chunkOf(input, s.elementBytes, s.blockElements);
      const bad = new Uint8Array(Math.max(0, chunk.length + longer));
      bad.set(chunk.subarray(0, bad.length));
      for (const { at, value } of damage) {
        bad[Math.floor(at * bad.length)] = value;
      }
      try {
        elementsOf(bad, s.elementBytes, input.length);
      } catch (error) {
        assert.ok(error instanceof CompressedChunkError, `${error}`);
        refused++;
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(refused > 50, `${refused} refused`);
});

/** Blocks that look like LZ4: tokens, lengths, offsets, few literals; half of them with an end. */
const lz4Like = fc.array(
  fc.oneof(
    fc.constantFrom([0xff], [0xf0], [0x0f], [255, 255], [0], [0x10, 7, 1, 0], [0x1f, 9, 2, 0], [
      0x40,
      1,
      2,
      3,
      4,
      3,
      0,
    ]),
    fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
  ),
  { maxLength: 12 },
).chain((parts) =>
  fc.constantFrom([], [0x20, 1, 2]).map((end) => new Uint8Array([...parts, end].flat()))
);

Deno.test("lz4Decompress() agrees with the format on every block, right or wrong", () => {
  let good = 0;
  fc.assert(
    fc.property(lz4Like, fc.integer({ min: 0, max: 600 }), (block, room) => {
      memory.reset();
      const from = memory.put(block), to = memory.room(room);
      const n = kernels.lz4Decompress(to.at, room, from.at, block.length);
      memory.checkCanaries();
      const expected = lz4Content(block, room);
      assert.equal(n, expected?.length ?? -1);
      if (expected === undefined) return;
      good++;
      assert.deepEqual(bytesOf(on, { at: to.at, bytes: n }), expected);
    }),
    { numRuns: 3000 },
  );
  assert.ok(good > 50, `${good} good`);
});

Deno.test("lz4Decompress() is not fooled by lengths that overflow", () => {
  memory.reset();
  const block = new Uint8Array(2 ** 20).fill(255);
  for (const token of [0xf0, 0x1f]) {
    block[0] = token;
    if (token === 0x1f) block.set([1, 1, 0], 1);
    const from = memory.put(block), to = memory.room(100);
    assert.equal(kernels.lz4Decompress(to.at, 100, from.at, block.length), -1);
    memory.checkCanaries();
  }
});

Deno.test("lz4Compress() keeps to its bound, and reads nothing beyond the end of the memory", () => {
  const end = on.memory.buffer.byteLength;
  for (const bytes of [0, 1, 11, 12, 13, 15, 16, 17, 255, 270, 271, 4096, 65536, 65537, 300_000]) {
    for (const kind of ["noise", "runs", "zeros"]) {
      memory.reset();
      const table = memory.room(16384), to = memory.room(lz4Bound(bytes));
      const input = make({ kind, seed: 9 }, bytes, 1);
      const from = { at: end - bytes, bytes };
      bytesOf(on, from).set(input);
      const n = kernels.lz4Compress(to.at, from.at, bytes, table.at);
      memory.checkCanaries();
      const block = bytesOf(on, { at: to.at, bytes: n }).slice();
      assert.deepEqual(lz4Content(block, bytes), input);
      const last = { at: end - n, bytes: n };
      bytesOf(on, last).set(block);
      const back = memory.room(bytes);
      assert.equal(kernels.lz4Decompress(back.at, bytes, last.at, n), bytes);
      memory.checkCanaries();
      assert.deepEqual(bytesOf(on, back), input);
    }
  }
  fillCanaries(bytesOf(on, { at: end - 400_000, bytes: 400_000 }));
});

Deno.test("compressChunk() and decompressChunk() refuse what does not fit", () => {
  memory.reset();
  const from = memory.room(800);
  const to = memory.room(compressedBound(400, 2));
  const scratch = memory.room(bitshuffleScratchBytes(400, 2));
  const good = { from, to, scratch, elementBytes: 2 as ElementBytes };
  const less = ({ at, bytes }: Region): Region => ({ at, bytes: bytes - 1 });
  const refuse = (change: Partial<Parameters<typeof compressChunk>[1]>, message: RegExp): void => {
    assert.throws(() => compressChunk(on, { ...good, ...change }), { name: "RangeError", message });
  };
  refuse({ to: less(to) }, /may need 8\d\d bytes, there is room for 8\d\d/);
  refuse({ scratch: less(scratch) }, /scratch memory has \d+ bytes/);
  refuse({ scratch: { ...scratch, at: scratch.at + 1 } }, /expected a multiple of 16/);
  refuse({ from: less(from) }, /799 bytes are no whole number of elements of 2 bytes/);
  refuse({ blockElements: 12 }, /A block has 12 elements, expected a multiple of 8/);
  refuse({ from: { at: to.at, bytes: 800 } }, /overlaps the elements/);
  refuse({ from: { at: 128 * 65536 - 10, bytes: 800 } }, /ends outside the memory/);
  refuse({ from: { at: -16, bytes: 16 } }, /-16/);

  const bytes = compressChunk(on, good);
  const chunk = { at: to.at, bytes };
  const decompress = (change: Partial<Parameters<typeof decompressChunk>[1]>): void =>
    decompressChunk(on, { from: chunk, to: from, scratch, elementBytes: 2, ...change });
  decompress({});
  const damaged = (message: RegExp): { name: string; message: RegExp } => ({
    name: "CompressedChunkError",
    message,
  });
  assert.throws(() => decompress({ to: { at: from.at, bytes: 798 } }), damaged(/holds 800 bytes/));
  assert.throws(() => decompress({ from: less(chunk) }), damaged(/ends before its last element/));
  assert.throws(
    () => decompress({ from: { at: to.at, bytes: bytes + 1 } }),
    damaged(/goes on after its last element/),
  );
  assert.throws(() => decompress({ from: { at: to.at, bytes: 11 } }), damaged(/at least the 12/));
  bytesOf(on, chunk).set([255, 255, 255, 255], CHUNK_HEADER_BYTES + 4);
  assert.throws(() => decompress({}), damaged(/no LZ4 block of its size/));
  bytesOf(on, chunk)[11] = 3;
  assert.throws(() => decompress({}), damaged(/multiple of 16: are its elements of 2 bytes/));
  bytesOf(on, chunk)[9] = 1;
  bytesOf(on, chunk)[11] = 0;
  assert.throws(
    () => decompress({ scratch: less(scratch) }),
    damaged(/needs \d+ bytes of scratch memory, there are \d+/),
  );
  bytesOf(on, chunk)[0] = 1;
  assert.throws(() => decompress({}), damaged(/claims to hold/));
});
