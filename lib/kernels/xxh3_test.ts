import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesOf, kernelMemory, Xxh3, XXH3_SECRET_BYTES } from "./mod.ts";
import { TestMemory } from "./_testing.ts";

/** Of the first n bytes of {@link testBytes}, by libxxhash 0.8.1. */
const VECTORS: readonly (readonly [n: number, hash: bigint])[] = [
  [0, 0x2d06800538d394c2n],
  [1, 0xc44bdff4074eecdbn],
  [2, 0x7a9978044cb8a8bbn],
  [3, 0x54247382a8d6b94dn],
  [4, 0xe5dc74bc51848a51n],
  [5, 0xe4243f00720306bbn],
  [6, 0x27b56a84cd2d7325n],
  [7, 0x9941e0007f555e50n],
  [8, 0x24ccc9acaa9f65e4n],
  [9, 0x14d5001c15dd3f2bn],
  [10, 0x1c117f233fbc3c14n],
  [12, 0xa713daf0dfbb77e7n],
  [15, 0x45556d4d6e1798bcn],
  [16, 0x981b17d36c7498c9n],
  [17, 0x796f5acd3a60f862n],
  [24, 0xa3fe70bf9d3510ebn],
  [31, 0x5d516692ca764c50n],
  [32, 0x9feaddbdbf57eed3n],
  [33, 0xabfb2d081b400a10n],
  [48, 0x397da259ecba1f11n],
  [63, 0x83d74a75f2c2577an],
  [64, 0x9cb48487720ec49dn],
  [65, 0xfd81aac4bebc3883n],
  [80, 0xbcdefbbb2c47c90an],
  [95, 0xc0dd460b48116cdan],
  [96, 0x935a769a7f94776fn],
  [97, 0xca4ca268fd3c3a6cn],
  [112, 0xd13d8f57931eef19n],
  [127, 0x2408ed71323d6096n],
  [128, 0xfcff24126754d861n],
  [129, 0x98f1b0a679a2ca29n],
  [143, 0x7a7813693f1f4edbn],
  [144, 0xc440d47e5f03fe58n],
  [145, 0x6b0a35a6cb2da39dn],
  [160, 0x9d03a319ed4cbd2bn],
  [175, 0xa414b77df2fdabaen],
  [176, 0x6a79c99804538253n],
  [177, 0x6fc0e6e420b6629bn],
  [200, 0xbddca58935d7c038n],
  [223, 0x6e495316b983036en],
  [224, 0x3f3250c7e92c871an],
  [239, 0x16ce2b9d3b28805dn],
  [240, 0x81c3c2b67f568ccfn],
  [241, 0xc5a639ecd2030e5en],
  [255, 0xe98f979f4ed8a197n],
  [256, 0x55de574ad89d0ac5n],
  [257, 0xb17fd5a8ae75bb0bn],
  [300, 0x7f371220466c4a1an],
  [511, 0x8089715b163e7fc0n],
  [512, 0x617e49599013cb6bn],
  [513, 0xf7037d3b6722aeecn],
  [1023, 0x87a8f7b2f2e22496n],
  [1024, 0xdd85c9b5c1109c5cn],
  [1025, 0xd870c0fa13211c6an],
  [1087, 0x047f181e7c8a41b9n],
  [1088, 0xcc1450ea6b52a8f4n],
  [1089, 0xef727b2effc4cc8cn],
  [2047, 0xb36ece19fca2197fn],
  [2048, 0xdd59e2c3a5f038e0n],
  [2049, 0xd3afa4329779b921n],
  [2240, 0x6e73a90539cf2948n],
  [4095, 0x3044187222ab0efbn],
  [4096, 0xe91206429d1f48f9n],
  [4097, 0xdac80d543e339451n],
  [8192, 0xd63690a28889a350n],
  [65536, 0x918f7f0f912ca480n],
  [100000, 0x34d658192a014311n],
  [200000, 0x813794d4fbda666an],
];

/** The bytes that the specification's own tests hash. */
function testBytes(n: number): Uint8Array {
  let x = 2654435761n;
  return Uint8Array.from({ length: n }, () => {
    const byte = Number(x >> 56n);
    x = BigInt.asUintN(64, x * 11400714785074694797n);
    return byte;
  });
}

const on = kernelMemory(new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true }));
const memory = new TestMemory(on);

/** Hashes with the kernel, canaries around all it works on. */
function hash(bytes: Uint8Array, skew = 0): bigint {
  memory.reset();
  const xxh3 = new Xxh3(on, memory.room(XXH3_SECRET_BYTES).at);
  const input = memory.put(bytes, skew);
  const result = xxh3.hash(input);
  memory.checkCanaries();
  assert.deepEqual(bytesOf(on, input), bytes);
  return result;
}

function secretBytes(): Uint8Array {
  memory.reset();
  const secret = memory.room(XXH3_SECRET_BYTES);
  new Xxh3(on, secret.at);
  return bytesOf(on, secret).slice();
}

const PRIME32 = [0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn] as const;
const PRIME64 = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;
const u64 = (x: bigint): bigint => BigInt.asUintN(64, x);
const low = (x: bigint): bigint => x & 0xffffffffn;

/** XXH3 of more than 240 bytes, by the letter of the specification. */
function xxh3Long(input: Uint8Array): bigint {
  const data = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const key = new DataView(secretBytes().buffer);
  const [p1, p2, p3] = PRIME32;
  const [q1, q2, q3, q4, q5] = PRIME64;
  const sums: bigint[] = [p3, q1, q2, q3, q4, p2, q5, p1];
  const accumulate = (at: number, secretAt: number): void => {
    for (let i = 0; i < 8; i++) {
      const value = data.getBigUint64(at + 8 * i, true);
      const keyed = value ^ key.getBigUint64(secretAt + 8 * i, true);
      sums[i ^ 1] = u64(sums[i ^ 1]! + value);
      sums[i] = u64(sums[i]! + low(keyed) * (keyed >> 32n));
    }
  };
  const n = input.byteLength;
  const blocks = Math.floor((n - 1) / 1024);
  const stripes = Math.floor((n - 1 - 1024 * blocks) / 64);
  for (let b = 0; b <= blocks; b++) {
    const count = b < blocks ? 16 : stripes;
    for (let s = 0; s < count; s++) accumulate(1024 * b + 64 * s, 8 * s);
    if (b === blocks) break;
    for (let i = 0; i < 8; i++) {
      const x = sums[i]! ^ (sums[i]! >> 47n) ^ key.getBigUint64(128 + 8 * i, true);
      sums[i] = u64(x * p1);
    }
  }
  accumulate(n - 64, 121);
  let h = u64(BigInt(n) * q1);
  for (let i = 0; i < 8; i += 2) {
    const a = sums[i]! ^ key.getBigUint64(11 + 8 * i, true);
    const product = a * (sums[i + 1]! ^ key.getBigUint64(19 + 8 * i, true));
    h = u64(h + (u64(product) ^ (product >> 64n)));
  }
  h ^= h >> 37n;
  h = u64(h * 0x165667919e3779f9n);
  return h ^ (h >> 32n);
}

Deno.test("Xxh3 hashes like libxxhash, at all lengths that are treated apart", () => {
  const bytes = testBytes(200_000);
  for (const skew of [0, 1, 7]) {
    for (const [n, expected] of VECTORS) {
      assert.equal(hash(bytes.subarray(0, n), skew), expected, `${n} bytes`);
    }
  }
});

Deno.test("Xxh3 hashes long input by the formula", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 241, maxLength: 5000 }), (bytes) => {
      assert.equal(hash(bytes), xxh3Long(bytes));
    }),
    { numRuns: 100 },
  );
});

Deno.test("Xxh3 reads nothing beyond the end of the memory, and refuses what does", () => {
  const end = on.memory.buffer.byteLength;
  memory.reset();
  const xxh3 = new Xxh3(on, memory.room(XXH3_SECRET_BYTES).at);
  for (const [n, expected] of VECTORS) {
    bytesOf(on, { at: end - n, bytes: n }).set(testBytes(n));
    assert.equal(xxh3.hash({ at: end - n, bytes: n }), expected);
  }
  assert.throws(() => xxh3.hash({ at: end - 5, bytes: 6 }), {
    name: "RangeError",
    message: /ends outside the memory/,
  });
  assert.throws(() => new Xxh3(on, end - 100), /constants of 192 bytes/);
});
