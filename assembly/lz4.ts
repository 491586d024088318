/**
 * LZ4 blocks, both directions, by the published block format (lz4_Block_format.md):
 *
 *   block    = sequence … sequence last
 *   sequence = token, [lengths], literals, offset (u16, little endian), [lengths]
 *   last     = token, [lengths], literals
 *
 * The token's upper 4 bits are the number of literals, the lower 4 the length of the match − 4; 15
 * goes on in bytes, of which each 255 goes on again. A match repeats what lies `offset` bytes before
 * its end of the output, and may overlap itself. The last 5 bytes are literals, and no match begins
 * in the last 12.
 *
 * Compression is greedy with one candidate per hash of 4 bytes. Where nothing is found, it looks at
 * ever fewer places; a match found late is extended to the left. Decompression trusts nothing: it
 * neither reads outside its input nor writes outside its output, whatever the input.
 */
import { LZ4_NARROW_BITS, LZ4_WIDE_BITS } from "./layout";

/** Blocks up to this size need positions of 2 bytes. */
const NARROW: usize = 65536;
const SHORTEST_MATCH: usize = 4;
const LAST_LITERALS: usize = 5;
const LAST_MATCH: usize = 12;
const LONGEST_DISTANCE: usize = 65535;
/** Of this many places in vain, every one is looked at; of as many again every second; … */
const PATIENCE_BITS: u32 = 3;

/**
 * Compresses `n` bytes into a block; returns its size, bytes.
 *
 * There must be room for n + n / 255 + 16 bytes, and in `table` for 4096 × u32.
 */
export function lz4Compress(to: usize, from: usize, n: usize, table: usize): usize {
  return n <= NARROW ? compress<u16>(to, from, n, table) : compress<u32>(to, from, n, table);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function compress<Position>(to: usize, from: usize, n: usize, table: usize): usize {
  const end = from + n;
  if (n <= LAST_MATCH) return lastLiterals(to, from, end) - to;
  const lastMatch = end - LAST_MATCH;
  const matchEnd = end - LAST_LITERALS;
  memory.fill(table, 0, sizeof<Position>() << hashBits<Position>());
  let out = to;
  let literals = from; // not yet written from here on
  let at = from + 1;
  while (at <= lastMatch) {
    let match: usize;
    let tries: usize = 1 << PATIENCE_BITS;
    // Look for 4 bytes that were here before.
    while (true) {
      const word = load<u32>(at);
      const entry = place<Position>(table, word);
      match = from + <usize>load<Position>(entry);
      store<Position>(entry, <Position>(at - from));
      if (load<u32>(match) == word && (sizeof<Position>() == 2 || at - match <= LONGEST_DISTANCE)) break;
      at += tries++ >> PATIENCE_BITS;
      if (at > lastMatch) return lastLiterals(out, literals, end) - to;
    }
    while (at > literals && match > from && load<u8>(at - 1) == load<u8>(match - 1)) at--, match--;
    let token = out;
    out = writeLiterals(token, literals, at - literals, end);
    // A match, and those that follow it at once.
    while (true) {
      store<u16>(out, <u16>(at - match));
      const length = equalBytes(at + SHORTEST_MATCH, match + SHORTEST_MATCH, matchEnd);
      out = writeLength(out + 2, token, length);
      at += length + SHORTEST_MATCH;
      literals = at;
      if (at > lastMatch) break;
      store<Position>(place<Position>(table, load<u32>(at - 2)), <Position>(at - 2 - from));
      const word = load<u32>(at);
      const entry = place<Position>(table, word);
      match = from + <usize>load<Position>(entry);
      store<Position>(entry, <Position>(at - from));
      if (load<u32>(match) != word || (sizeof<Position>() == 4 && at - match > LONGEST_DISTANCE)) break;
      token = out++;
      store<u8>(token, 0);
    }
    at++;
  }
  return lastLiterals(out, literals, end) - to;
}

/** Where the table keeps the last place of 4 bytes like these. */
// @ts-ignore: decorator of AssemblyScript
@inline
function place<Position>(table: usize, word: u32): usize {
  return table + <usize>((word * 2654435761) >> (32 - hashBits<Position>())) * sizeof<Position>();
}

// @ts-ignore: decorator of AssemblyScript
@inline
function hashBits<Position>(): u32 {
  return sizeof<Position>() == 2 ? LZ4_NARROW_BITS : LZ4_WIDE_BITS;
}

/** Writes a token and `n` literals, of which at least 12 bytes of the block follow; returns its end. */
// @ts-ignore: decorator of AssemblyScript
@inline
function writeLiterals(token: usize, from: usize, n: usize, end: usize): usize {
  let out = token + 1;
  if (n >= 15) {
    store<u8>(token, 15 << 4);
    out = writeRest(out, n - 15);
  } else store<u8>(token, <u8>(n << 4));
  if (from + n + 16 > end) {
    memory.copy(out, from, n);
    return out + n;
  }
  // 16 bytes at a time, over the end: the room for the longest block allows it.
  const stop = out + n;
  do {
    v128.store(out, v128.load(from));
    out += 16;
    from += 16;
  } while (out < stop);
  return stop;
}

/** Adds a match's length − 4 to its token and writes what does not fit there; returns the end. */
// @ts-ignore: decorator of AssemblyScript
@inline
function writeLength(out: usize, token: usize, length: usize): usize {
  if (length < 15) {
    store<u8>(token, load<u8>(token) | <u8>length);
    return out;
  }
  store<u8>(token, load<u8>(token) | 15);
  return writeRest(out, length - 15);
}

/** Writes what is left of a length; returns its end. */
// @ts-ignore: decorator of AssemblyScript
@inline
function writeRest(out: usize, rest: usize): usize {
  for (; rest >= 255; rest -= 255) store<u8>(out++, 255);
  store<u8>(out++, <u8>rest);
  return out;
}

/** Writes the last literals of a block; returns its end. */
function lastLiterals(out: usize, from: usize, end: usize): usize {
  const n = end - from;
  const token = out++;
  if (n >= 15) {
    store<u8>(token, 15 << 4);
    out = writeRest(out, n - 15);
  } else store<u8>(token, <u8>(n << 4));
  memory.copy(out, from, n);
  return out + n;
}

/** How many bytes from `start` on, before `end`, are 0; those up to `at` are. */
// @ts-ignore: decorator of AssemblyScript
@inline
function equalZeros(start: usize, at: usize, end: usize): usize {
  while (at + 64 <= end) {
    const any = v128.or(v128.or(v128.load(at), v128.load(at, 16)), v128.or(v128.load(at, 32), v128.load(at, 48)));
    if (v128.any_true(any)) break;
    at += 64;
  }
  while (at + 16 <= end) {
    const zeros = i8x16.bitmask(i8x16.eq(v128.load(at), i32x4.splat(0)));
    if (zeros != 0xffff) return at - start + ctz(~zeros);
    at += 16;
  }
  while (at < end && load<u8>(at) == 0) at++;
  return at - start;
}

/** How many bytes from `at` on, before `end`, are equal to those from `other` on. */
// @ts-ignore: decorator of AssemblyScript
@inline
function equalBytes(at: usize, other: usize, end: usize): usize {
  const start = at;
  if (at + 16 <= end) { // short, mostly
    const equal = i8x16.bitmask(i8x16.eq(v128.load(at), v128.load(other)));
    if (equal != 0xffff) return ctz(~equal);
    // Most long matches are zeros that repeat the zeros just before them.
    if (at - other <= 16 && !v128.any_true(v128.load(at))) return equalZeros(at, at + 16, end);
    at += 16;
    other += 16;
  }
  while (at + 64 <= end) {
    const a = v128.xor(v128.load(at), v128.load(other)), b = v128.xor(v128.load(at, 16), v128.load(other, 16));
    const c = v128.xor(v128.load(at, 32), v128.load(other, 32)), d = v128.xor(v128.load(at, 48), v128.load(other, 48));
    if (v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) break;
    at += 64;
    other += 64;
  }
  while (at + 16 <= end) {
    const equal = i8x16.bitmask(i8x16.eq(v128.load(at), v128.load(other)));
    if (equal != 0xffff) return at - start + ctz(~equal);
    at += 16;
    other += 16;
  }
  while (at < end && load<u8>(at) == load<u8>(other)) at++, other++;
  return at - start;
}

/**
 * Decompresses a block of `n` bytes; returns the size of its content, −1 if that is not in it.
 *
 * That is, if the block is malformed or its content larger than `room`. What was written until then
 * is undefined, but in the room.
 */
export function lz4Decompress(to: usize, room: usize, from: usize, n: usize): i32 {
  const inEnd = from + n, outEnd = to + room;
  let out = to;
  while (from < inEnd) {
    const token = <usize>load<u8>(from++);
    let literals = token >> 4;
    if (literals < 15 && inEnd - from >= 32 && outEnd - out >= 64) {
      // Most sequences: few literals and a short match, with room for whole vectors around them.
      v128.store(out, v128.load(from));
      const match = token & 15, distance = <usize>load<u16>(from + literals);
      const start = out + literals;
      if (match < 15 && distance >= 16 && distance <= start - to) {
        v128.store(start, v128.load(start - distance));
        store<u32>(start + 16, load<u32>(start - distance, 16));
        out = start + match + SHORTEST_MATCH;
        from += literals + 2;
        continue;
      }
    }
    if (literals == 15) {
      let more: usize;
      do {
        if (from >= inEnd || literals > room) return -1;
        more = <usize>load<u8>(from++);
        literals += more;
      } while (more == 255);
    }
    if (literals > inEnd - from || literals > outEnd - out) return -1;
    copyLiterals(out, outEnd, from, inEnd, literals);
    out += literals;
    from += literals;
    if (from == inEnd) return <i32>(out - to);

    if (inEnd - from < 2) return -1;
    const distance = <usize>load<u16>(from);
    from += 2;
    if (distance == 0 || distance > out - to) return -1;
    let length = token & 15;
    if (length == 15) {
      let more: usize;
      do {
        if (from >= inEnd || length > room) return -1;
        more = <usize>load<u8>(from++);
        length += more;
      } while (more == 255);
    }
    length += SHORTEST_MATCH;
    if (length > outEnd - out) return -1;
    repeat(out, outEnd, distance, length);
    out += length;
  }
  return -1; // a block ends with literals
}

// @ts-ignore: decorator of AssemblyScript
@inline
function copyLiterals(out: usize, outEnd: usize, from: usize, inEnd: usize, n: usize): void {
  // 16 bytes at a time where neither side ends before the last of them.
  if (n + 16 <= inEnd - from && n + 16 <= outEnd - out) {
    const stop = out + n;
    do {
      v128.store(out, v128.load(from));
      out += 16;
      from += 16;
    } while (out < stop);
  } else memory.copy(out, from, n);
}

/** Writes `length` bytes that repeat what lies `distance` before them. */
// @ts-ignore: decorator of AssemblyScript
@inline
function repeat(out: usize, outEnd: usize, distance: usize, length: usize): void {
  const stop = out + length;
  let match = out - distance;
  if (outEnd - stop >= 16) {
    // 16 bytes at a time, over the end. A period that divides 16 makes the same vector every time.
    if (distance >= 16) {
      do {
        v128.store(out, v128.load(match));
        out += 16;
        match += 16;
      } while (out < stop);
      return;
    }
    if ((distance & (distance - 1)) == 0) {
      const period = distance == 1
        ? i8x16.splat(load<u8>(match))
        : distance == 2
        ? i16x8.splat(load<u16>(match))
        : distance == 4
        ? i32x4.splat(load<u32>(match))
        : i64x2.splat(load<u64>(match));
      do {
        v128.store(out, period);
        out += 16;
      } while (out < stop);
      return;
    }
  } else if (distance == 1) {
    memory.fill(out, load<u8>(match), length);
    return;
  }
  // What was written is as good to repeat: the distance doubles until vectors do not overlap.
  while (distance < 16 && out < stop) {
    const piece = min(distance, stop - out);
    for (let i: usize = 0; i < piece; i++) store<u8>(out + i, load<u8>(match + i));
    out += piece;
    distance += distance;
  }
  while (out + 16 <= stop) {
    v128.store(out, v128.load(match));
    out += 16;
    match += 16;
  }
  while (out < stop) store<u8>(out++, load<u8>(match++));
}
