/**
 * Sizes of the measurement of the other kernels; `native/others.c` has the same.
 *
 * @module
 */
import { COLUMNS, ROWS, SKEW } from "./_geometry.ts";

/** More than the caches hold. */
const RING_BYTES = 128 * 2 ** 20;

/** Rows of a module that is measured hot: input and output stay in the second-level cache. */
const HOT_ROWS = 64;

/** Gap between the two chips of a row, px. */
export const GAP = 2;

/** What is measured: bytes of a pixel, read and written. */
const PIXELS = {
  mirror8: { from: 1, to: 1 },
  mirror16: { from: 2, to: 2 },
  mirror32: { from: 4, to: 4 },
  shareSigned16: { from: 0, to: 2 },
  shareSigned32: { from: 0, to: 4 },
  shareFloats: { from: 0, to: 4 },
  setPixels: { from: 0, to: 2 },
  blank: { from: 0, to: 2 },
  fill: { from: 0, to: 4 },
  isZero: { from: 2, to: 0 },
  countGains: { from: 2, to: 0 },
  // The sums, in; two floats, out.
  finishPedestal: { from: 16, to: 8 },
} as const;

/** Name of one. */
export type OtherKernel = keyof typeof PIXELS;

/** All of them. */
export const OTHER_KERNELS = Object.keys(PIXELS) as OtherKernel[]; // all of them

/** Frames that pedestals are finished of. */
export const DARK_FRAMES = 1000;

/** Packets of a batch that the simulator makes. */
export const BATCH = 64;

/**
 * What a kernel reads and writes of a module, and how many modules there are, one after the other.
 * `bytes` are what its speed is told by: of what it reads, or where it reads nothing, of the module.
 */
export function otherPlan(kernel: OtherKernel, mode: "hot" | "cold"): {
  rows: number;
  pixel: number;
  from: number;
  to: number;
  stride: number;
  count: number;
  bytes: number;
} {
  const { from, to } = PIXELS[kernel];
  const rows = mode === "cold" ? ROWS : kernel === "finishPedestal" ? HOT_ROWS / 4 : HOT_ROWS;
  const pixels = rows * COLUMNS;
  // In an image rows do not share sets of the cache.
  const stride = COLUMNS * to + (kernel === "finishPedestal" ? 0 : SKEW);
  const written = to === 0 ? 64 : rows * stride;
  return {
    rows,
    pixel: from === 0 ? to : from,
    from: pixels * from,
    to: written,
    stride,
    count: mode === "hot" ? 1 : Math.floor(RING_BYTES / Math.max(pixels * from, written)),
    bytes: pixels * (from === 0 ? to : from),
  };
}

/** Bytes of the file that a program works in: what is read, then what is written. */
export const OTHER_BYTES: number = 2 * RING_BYTES;

/** Where what is written begins in it. */
export const OTHER_OUTPUT: number = RING_BYTES;
