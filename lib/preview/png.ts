/**
 * PNG files of images with 256 colours.
 *
 * Source: "Portable Network Graphics (PNG) Specification", third edition (W3C): signature, then chunks
 * IHDR, PLTE, IDAT (a zlib stream of rows, each behind the number of its filter), IEND.
 *
 * @module
 */
import { crc32, deflateSync } from "node:zlib";
import type { IndexedImage } from "./indexed_image.ts";

/**
 * Encodes an image.
 *
 * @param palette 256 colours, three bytes each.
 */
export function encodePng(image: IndexedImage, palette: Uint8Array): Uint8Array<ArrayBuffer> {
  const { width, height, pixels } = image;
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits of a pixel
  header.setUint8(9, 3); // colours of a palette
  const rows = new Uint8Array(height * (width + 1)); // filter 0: none
  for (let row = 0; row < height; row++) {
    rows.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  }
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("PLTE", palette),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array()),
  ];
  const file = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}
