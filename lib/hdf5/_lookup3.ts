/**
 * The checksum of HDF5's metadata: Bob Jenkins' lookup3.
 *
 * Source: `hashlittle()` of http://burtleburtle.net/bob/c/lookup3.c (public domain), which the HDF5
 * File Format Specification names as the checksum of metadata.
 *
 * @module
 */

/** Checksum of bytes, u32, with the initial value 0 that HDF5 uses. */
export function lookup3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let a = (0xdeadbeef + bytes.byteLength) | 0, b = a, c = a;
  let at = 0;
  for (; bytes.byteLength - at > 12; at += 12) {
    a = (a + view.getUint32(at, true)) | 0;
    b = (b + view.getUint32(at + 4, true)) | 0;
    c = (c + view.getUint32(at + 8, true)) | 0;
    a = (a - c) ^ rotated(c, 4), c = (c + b) | 0;
    b = (b - a) ^ rotated(a, 6), a = (a + c) | 0;
    c = (c - b) ^ rotated(b, 8), b = (b + a) | 0;
    a = (a - c) ^ rotated(c, 16), c = (c + b) | 0;
    b = (b - a) ^ rotated(a, 19), a = (a + c) | 0;
    c = (c - b) ^ rotated(b, 4), b = (b + a) | 0;
  }
  if (at === bytes.byteLength) return c >>> 0;
  const rest = new DataView(new ArrayBuffer(12));
  new Uint8Array(rest.buffer).set(bytes.subarray(at));
  a = (a + rest.getUint32(0, true)) | 0;
  b = (b + rest.getUint32(4, true)) | 0;
  c = (c + rest.getUint32(8, true)) | 0;
  c = (c ^ b) - rotated(b, 14);
  a = (a ^ c) - rotated(c, 11);
  b = (b ^ a) - rotated(a, 25);
  c = (c ^ b) - rotated(b, 16);
  a = (a ^ c) - rotated(c, 4);
  b = (b ^ a) - rotated(a, 14);
  c = (c ^ b) - rotated(b, 24);
  return c >>> 0;
}

function rotated(value: number, bits: number): number {
  return value << bits | value >>> 32 - bits;
}
