/**
 * Packs a row of 12-bit pixels, two in three bytes: [a: bits 7-0] [b: 3-0, a: 11-8] [b: 11-4].
 *
 * @param pixels Where the pixels are; of each the low 12 bits are taken.
 * @param from Index of the row's first pixel.
 * @param columns Pixels of the row, an even number.
 * @param target Where to put them.
 * @param at Byte at which the row begins there.
 */
export function packRow(
  pixels: ArrayLike<number>,
  from: number,
  columns: number,
  target: Uint8Array,
  at: number,
): void {
  for (let column = 0; column < columns; column += 2, at += 3) {
    const a = pixels[from + column]!;
    const b = pixels[from + column + 1]!;
    target[at] = a;
    target[at + 1] = a >> 8 & 15 | b << 4;
    target[at + 2] = b >> 4;
  }
}
