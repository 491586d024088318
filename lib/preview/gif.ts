/**
 * GIF animations of images with 256 colours.
 *
 * Source: "Graphics Interchange Format, Version 89a" (CompuServe, 1990), with the looping extension of
 * Netscape: header, screen descriptor, colour table; for each image a graphic control extension, a
 * descriptor, and its pixels by LZW in blocks of at most 255 bytes.
 *
 * @module
 */
import type { IndexedImage } from "./indexed_image.ts";

/** Bits of a pixel. */
const PIXEL_BITS = 8;
const CLEAR = 2 ** PIXEL_BITS;
const END = CLEAR + 1;
const MOST_CODES = 4096;

/**
 * Encodes an animation that runs for ever.
 *
 * @param images All of one size.
 * @param palette 256 colours, three bytes each.
 * @param delayMs Time that an image is shown, ms.
 */
export function encodeGif(
  images: readonly IndexedImage[],
  palette: Uint8Array,
  delayMs: number,
): Uint8Array<ArrayBuffer> {
  const { width, height } = images[0] ?? { width: 1, height: 1 };
  const delay = Math.round(delayMs / 10);
  const parts: (Uint8Array | number[])[] = [
    ascii("GIF89a"),
    [...u16(width), ...u16(height), 0xf7, 0, 0], // a colour table of 256 entries
    palette,
    [0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, 0, 0, 0],
  ];
  for (const image of images) {
    parts.push(
      [0x21, 0xf9, 4, 0, ...u16(delay), 0, 0],
      [0x2c, 0, 0, 0, 0, ...u16(width), ...u16(height), 0],
      [PIXEL_BITS],
      ...blocks(compress(image.pixels)),
      [0],
    );
  }
  parts.push([0x3b]);
  return joined(parts);
}

/** LZW with codes of 9 to 12 bits, lowest bits first. */
function compress(pixels: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 * pixels.length + 16);
  let bytes = 0, bits = 0, held = 0, codeBits = PIXEL_BITS + 1;
  const put = (code: number): void => {
    held |= code << bits;
    bits += codeBits;
    for (; bits >= 8; bits -= 8, held >>>= 8) out[bytes++] = held & 0xff;
  };
  let table = new Map<number, number>(); // (code of a string) × 256 + next pixel → code
  let next = END + 1;
  put(CLEAR);
  let current = pixels[0] ?? 0;
  for (let i = 1; i < pixels.length; i++) {
    const key = current * 256 + pixels[i]!;
    const known = table.get(key);
    if (known !== undefined) {
      current = known;
      continue;
    }
    put(current);
    if (next < MOST_CODES) {
      // A code is as long as the largest that the reader may know by then.
      if (next === 2 ** codeBits) codeBits++;
      table.set(key, next++);
    } else {
      put(CLEAR);
      table = new Map();
      next = END + 1;
      codeBits = PIXEL_BITS + 1;
    }
    current = pixels[i]!;
  }
  put(current);
  put(END);
  if (bits > 0) out[bytes++] = held & 0xff;
  return out.subarray(0, bytes);
}

function blocks(data: Uint8Array): (Uint8Array | number[])[] {
  return Array.from({ length: Math.ceil(data.length / 255) }, (_, i) => {
    const block = data.subarray(255 * i, 255 * (i + 1));
    return [[block.length], block];
  }).flat();
}

function joined(parts: readonly (Uint8Array | number[])[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function u16(value: number): number[] {
  return [value & 0xff, value >> 8];
}

function ascii(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}
