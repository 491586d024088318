/**
 * XXH3, 64 bits, seed 0: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 *
 * `secret`: the specification's 192 bytes, put there by the host (lib/kernels/xxh3.ts).
 *
 * Long input goes in stripes of 64 bytes through 8 accumulators of 64 bits, here 4 vectors: each
 * stripe with a piece of the secret that begins 8 bytes later than the one before, and after 16 of
 * them (1024 bytes, a block) the accumulators are scrambled. Up to 240 bytes are mixed directly.
 */
import { opaque } from "./common";
import { XXH3_SECRET_BYTES as SECRET_BYTES } from "./layout";

const PRIME32_1: u64 = 0x9e3779b1;
const PRIME32_2: u64 = 0x85ebca77;
const PRIME32_3: u64 = 0xc2b2ae3d;
const PRIME64_1: u64 = 0x9e3779b185ebca87;
const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME64_3: u64 = 0x165667b19e3779f9;
const PRIME64_4: u64 = 0x85ebca77c2b2ae63;
const PRIME64_5: u64 = 0x27d4eb2f165667c5;
const PRIME_MX1: u64 = 0x165667919e3779f9;
const PRIME_MX2: u64 = 0x9fb21c651e98df25;

const STRIPE: usize = 64;
const STRIPES_PER_BLOCK: usize = 16;
const BLOCK: usize = STRIPE * STRIPES_PER_BLOCK;

/** The hash of `n` bytes; `secret` is where the 192 bytes of the specification's secret are. */
export function xxh3(from: usize, n: usize, secret: usize): u64 {
  if (n > 240) return hashLong(from, n, secret);
  if (n > 128) return hash129to240(from, n, secret);
  if (n > 16) return hash17to128(from, n, secret);
  if (n > 8) return hash9to16(from, n, secret);
  if (n >= 4) return hash4to8(from, n, secret);
  if (n > 0) return hash1to3(from, n, secret);
  return avalanche64(load<u64>(secret, 56) ^ load<u64>(secret, 64));
}

function hash1to3(from: usize, n: usize, secret: usize): u64 {
  const first = <u32>load<u8>(from), middle = <u32>load<u8>(from + (n >> 1)), last = <u32>load<u8>(from + n - 1);
  const all = first << 16 | middle << 24 | last | <u32>n << 8;
  return avalanche64(<u64>(all ^ load<u32>(secret) ^ load<u32>(secret, 4)));
}

function hash4to8(from: usize, n: usize, secret: usize): u64 {
  const input = <u64>load<u32>(from + n - 4) + (<u64>load<u32>(from) << 32);
  let h = input ^ load<u64>(secret, 8) ^ load<u64>(secret, 16);
  h ^= rotl<u64>(h, 49) ^ rotl<u64>(h, 24);
  h *= PRIME_MX2;
  h ^= (h >> 35) + <u64>n;
  h *= PRIME_MX2;
  return h ^ (h >> 28);
}

function hash9to16(from: usize, n: usize, secret: usize): u64 {
  const low = load<u64>(from) ^ load<u64>(secret, 24) ^ load<u64>(secret, 32);
  const high = load<u64>(from + n - 8) ^ load<u64>(secret, 40) ^ load<u64>(secret, 48);
  return avalanche(<u64>n + bswap<u64>(low) + high + foldedProduct(low, high));
}

function hash17to128(from: usize, n: usize, secret: usize): u64 {
  const end = from + n;
  let sum = <u64>n * PRIME64_1;
  // Pairs of 16 bytes from both ends towards the middle.
  for (let i: usize = 0; i <= (n - 1) >> 5; i++) {
    sum += mix(from + (i << 4), secret + (i << 5));
    sum += mix(end - ((i + 1) << 4), secret + (i << 5) + 16);
  }
  return avalanche(sum);
}

function hash129to240(from: usize, n: usize, secret: usize): u64 {
  let sum = <u64>n * PRIME64_1;
  for (let at: usize = 0; at < 128; at += 16) sum += mix(from + at, secret + at);
  sum = avalanche(sum);
  for (let at: usize = 128; at + 16 <= n; at += 16) sum += mix(from + at, secret + at - 128 + 3);
  return avalanche(sum + mix(from + n - 16, secret + 136 - 17));
}

function hashLong(from: usize, n: usize, secret: usize): u64 {
  let a = i64x2(PRIME32_3, PRIME64_1), b = i64x2(PRIME64_2, PRIME64_3);
  let c = i64x2(PRIME64_4, PRIME32_2), d = i64x2(PRIME64_5, PRIME32_1);
  const prime = opaque(i64x2.splat(PRIME32_1));
  const lastStripe = from + n - STRIPE;
  const blocksEnd = from + (n - 1) / BLOCK * BLOCK;
  const scramble = secret + SECRET_BYTES - STRIPE;
  while (true) {
    const whole = from < blocksEnd;
    // The last block has what is left but for at least a byte: that is in the last stripe.
    const stripes = whole ? STRIPES_PER_BLOCK : (lastStripe + STRIPE - 1 - from) / STRIPE;
    for (let s = secret, end = secret + (stripes << 3); s < end; s += 8) {
      a = accumulate(a, v128.load(from), v128.load(s));
      b = accumulate(b, v128.load(from, 16), v128.load(s, 16));
      c = accumulate(c, v128.load(from, 32), v128.load(s, 32));
      d = accumulate(d, v128.load(from, 48), v128.load(s, 48));
      from += STRIPE;
    }
    if (!whole) break;
    a = scrambled(a, v128.load(scramble), prime);
    b = scrambled(b, v128.load(scramble, 16), prime);
    c = scrambled(c, v128.load(scramble, 32), prime);
    d = scrambled(d, v128.load(scramble, 48), prime);
  }
  const s = scramble - 7;
  a = accumulate(a, v128.load(lastStripe), v128.load(s));
  b = accumulate(b, v128.load(lastStripe, 16), v128.load(s, 16));
  c = accumulate(c, v128.load(lastStripe, 32), v128.load(s, 32));
  d = accumulate(d, v128.load(lastStripe, 48), v128.load(s, 48));
  const merge = secret + 11;
  return avalanche(
    <u64>n * PRIME64_1 + merged(a, merge) + merged(b, merge + 16) + merged(c, merge + 32) + merged(d, merge + 48),
  );
}

/** Adds 16 bytes to two accumulators: to each the product of its halves, keyed, and its neighbour. */
// @ts-ignore: decorator of AssemblyScript
@inline
function accumulate(sum: v128, input: v128, secret: v128): v128 {
  const keyed = v128.xor(input, secret);
  const low = v128.shuffle<u32>(keyed, keyed, 0, 2, 0, 2), high = v128.shuffle<u32>(keyed, keyed, 1, 3, 1, 3);
  const swapped = v128.shuffle<u64>(input, input, 1, 0);
  return i64x2.add(i64x2.add(sum, swapped), i64x2.extmul_low_i32x4_u(low, high));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function scrambled(sum: v128, secret: v128, prime: v128): v128 {
  return i64x2.mul(v128.xor(v128.xor(sum, i64x2.shr_u(sum, 47)), secret), prime);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function merged(sum: v128, secret: usize): u64 {
  return foldedProduct(
    <u64>i64x2.extract_lane(sum, 0) ^ load<u64>(secret),
    <u64>i64x2.extract_lane(sum, 1) ^ load<u64>(secret, 8),
  );
}

// @ts-ignore: decorator of AssemblyScript
@inline
function mix(from: usize, secret: usize): u64 {
  return foldedProduct(load<u64>(from) ^ load<u64>(secret), load<u64>(from, 8) ^ load<u64>(secret, 8));
}

/** The 128 bits of a product, its halves combined by exclusive or. */
function foldedProduct(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff, aHigh = a >> 32, bLow = b & 0xffffffff, bHigh = b >> 32;
  const low = aLow * bLow, mixed = aHigh * bLow;
  const cross = (low >> 32) + (mixed & 0xffffffff) + aLow * bHigh;
  const upper = (mixed >> 32) + (cross >> 32) + aHigh * bHigh;
  return upper ^ (cross << 32 | (low & 0xffffffff));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function avalanche(h: u64): u64 {
  h ^= h >> 37;
  h *= PRIME_MX1;
  return h ^ (h >> 32);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function avalanche64(h: u64): u64 {
  h ^= h >> 33;
  h *= PRIME64_2;
  h ^= h >> 29;
  h *= PRIME64_3;
  return h ^ (h >> 32);
}
