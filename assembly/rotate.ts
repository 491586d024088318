/**
 * Lays a module on its side: its rows become columns of the image.
 *
 *   out[column][row] = in[row][column]
 *
 * The pixel at `row`, `column` lies at `from + row × fromStride + column × pixel` and goes to
 * `to + column × toStride + row × pixel`. Strides are bytes and may be negative: read from the last row
 * to the first, written from the last row to the first, the same kernel makes all four ways in which a
 * module can lie on its side.
 *
 * Blocks of 8 × 16 pixels of one byte, 8 × 8 of two, 4 × 4 of four are transposed in registers by
 * log₂ rounds of interleaving, in the order in which the image's rows are written.
 */
import { interleaveHigh, interleaveLow } from "./common";

/** Transposes `rows` × `columns` pixels of 1, 2 or 4 bytes. */
export function transposeModule(
  to: usize,
  toStride: i32,
  from: usize,
  fromStride: i32,
  rows: u32,
  columns: u32,
  pixel: u32,
): void {
  if (pixel == 1) transpose<u8>(to, toStride, from, fromStride, rows, columns);
  else if (pixel == 2) transpose<u16>(to, toStride, from, fromStride, rows, columns);
  else transpose<u32>(to, toStride, from, fromStride, rows, columns);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function transpose<T>(
  to: usize,
  toStride: i32,
  from: usize,
  fromStride: i32,
  rows: u32,
  columns: u32,
): void {
  const down: u32 = sizeof<T>() == 4 ? 4 : 8; // rows of a block
  const across: u32 = 16 / <u32>sizeof<T>(); // columns of a block
  const blockRows = rows - rows % down;
  const blockColumns = columns - columns % across;
  const rowStep = <usize>fromStride;
  for (let column: u32 = 0; column < blockColumns; column += across) {
    let at = to + <usize>((<i32>column) * toStride);
    let source = from + <usize>column * sizeof<T>();
    for (let row: u32 = 0; row < blockRows; row += down) {
      if (sizeof<T>() == 1) block8(at, <usize>toStride, source, rowStep);
      else if (sizeof<T>() == 2) block16(at, <usize>toStride, source, rowStep);
      else block32(at, <usize>toStride, source, rowStep);
      at += <usize>down * sizeof<T>();
      source += <usize>down * rowStep;
    }
  }
  // What does not fill a block: the last rows, then the last columns.
  if (blockRows < rows) {
    single<T>(to, toStride, from, fromStride, blockRows, rows, 0, blockColumns);
  }
  if (blockColumns < columns) {
    single<T>(to, toStride, from, fromStride, 0, rows, blockColumns, columns);
  }
}

/** Transposes pixel by pixel. */
function single<T>(
  to: usize,
  toStride: i32,
  from: usize,
  fromStride: i32,
  firstRow: u32,
  lastRow: u32,
  firstColumn: u32,
  lastColumn: u32,
): void {
  for (let column = firstColumn; column < lastColumn; column++) {
    for (let row = firstRow; row < lastRow; row++) {
      store<T>(
        to + <usize>(<i32>column * toStride) + <usize>row * sizeof<T>(),
        load<T>(from + <usize>(<i32>row * fromStride) + <usize>column * sizeof<T>()),
      );
    }
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function low16(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function high16(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function low32(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 0, 4, 1, 5);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function high32(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 2, 6, 3, 7);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function low64(a: v128, b: v128): v128 {
  return v128.shuffle<u64>(a, b, 0, 2);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function high64(a: v128, b: v128): v128 {
  return v128.shuffle<u64>(a, b, 1, 3);
}

/** Eight rows of sixteen bytes → sixteen rows of eight. */
// @ts-ignore: decorator of AssemblyScript
@inline
function block8(to: usize, toStride: usize, from: usize, fromStride: usize): void {
  const a0 = v128.load(from), a1 = v128.load(from + fromStride);
  const a2 = v128.load(from + 2 * fromStride), a3 = v128.load(from + 3 * fromStride);
  from += 4 * fromStride;
  const a4 = v128.load(from), a5 = v128.load(from + fromStride);
  const a6 = v128.load(from + 2 * fromStride), a7 = v128.load(from + 3 * fromStride);
  // Rows 0 and 4, 2 and 6, …: after three rounds a column's eight bytes are side by side.
  const b0 = interleaveLow(a0, a4), b1 = interleaveHigh(a0, a4), b2 = interleaveLow(a1, a5), b3 = interleaveHigh(a1, a5);
  const b4 = interleaveLow(a2, a6), b5 = interleaveHigh(a2, a6), b6 = interleaveLow(a3, a7), b7 = interleaveHigh(a3, a7);
  const c0 = interleaveLow(b0, b4), c1 = interleaveHigh(b0, b4), c2 = interleaveLow(b1, b5), c3 = interleaveHigh(b1, b5);
  const c4 = interleaveLow(b2, b6), c5 = interleaveHigh(b2, b6), c6 = interleaveLow(b3, b7), c7 = interleaveHigh(b3, b7);
  to = storePair(to, toStride, interleaveLow(c0, c4));
  to = storePair(to, toStride, interleaveHigh(c0, c4));
  to = storePair(to, toStride, interleaveLow(c1, c5));
  to = storePair(to, toStride, interleaveHigh(c1, c5));
  to = storePair(to, toStride, interleaveLow(c2, c6));
  to = storePair(to, toStride, interleaveHigh(c2, c6));
  to = storePair(to, toStride, interleaveLow(c3, c7));
  storePair(to, toStride, interleaveHigh(c3, c7));
}

/** Stores the halves of a register in two rows; returns where the next row is. */
// @ts-ignore: decorator of AssemblyScript
@inline
function storePair(to: usize, stride: usize, pair: v128): usize {
  v128.store64_lane(to, pair, 0);
  v128.store64_lane(to + stride, pair, 1);
  return to + 2 * stride;
}

/** Eight rows of eight 16-bit pixels. */
// @ts-ignore: decorator of AssemblyScript
@inline
function block16(to: usize, toStride: usize, from: usize, fromStride: usize): void {
  const a0 = v128.load(from), a1 = v128.load(from + fromStride);
  const a2 = v128.load(from + 2 * fromStride), a3 = v128.load(from + 3 * fromStride);
  from += 4 * fromStride;
  const a4 = v128.load(from), a5 = v128.load(from + fromStride);
  const a6 = v128.load(from + 2 * fromStride), a7 = v128.load(from + 3 * fromStride);
  const b0 = low16(a0, a1), b1 = high16(a0, a1), b2 = low16(a2, a3), b3 = high16(a2, a3);
  const b4 = low16(a4, a5), b5 = high16(a4, a5), b6 = low16(a6, a7), b7 = high16(a6, a7);
  const c0 = low32(b0, b2), c1 = high32(b0, b2), c2 = low32(b1, b3), c3 = high32(b1, b3);
  const c4 = low32(b4, b6), c5 = high32(b4, b6), c6 = low32(b5, b7), c7 = high32(b5, b7);
  v128.store(to, low64(c0, c4));
  v128.store(to + toStride, high64(c0, c4));
  v128.store(to + 2 * toStride, low64(c1, c5));
  v128.store(to + 3 * toStride, high64(c1, c5));
  to += 4 * toStride;
  v128.store(to, low64(c2, c6));
  v128.store(to + toStride, high64(c2, c6));
  v128.store(to + 2 * toStride, low64(c3, c7));
  v128.store(to + 3 * toStride, high64(c3, c7));
}

/** Four rows of four 32-bit pixels. */
// @ts-ignore: decorator of AssemblyScript
@inline
function block32(to: usize, toStride: usize, from: usize, fromStride: usize): void {
  const a0 = v128.load(from), a1 = v128.load(from + fromStride);
  const a2 = v128.load(from + 2 * fromStride), a3 = v128.load(from + 3 * fromStride);
  const b0 = low32(a0, a1), b1 = high32(a0, a1), b2 = low32(a2, a3), b3 = high32(a2, a3);
  v128.store(to, low64(b0, b2));
  v128.store(to + toStride, high64(b0, b2));
  v128.store(to + 2 * toStride, low64(b1, b3));
  v128.store(to + 3 * toStride, high64(b1, b3));
}
