/**
 * Dark frames of the pedestal measurement; `native/pedestal.c` has the same sizes.
 *
 * @module
 */
import { File } from "../lib/os/mod.ts";

/** Frames of a batch. */
const FRAMES = 16;
/** Bytes between frames, so that they do not share sets of the cache. */
const SKEW = 192;

/** Sizes of a measurement; `stride` and `bytes` in bytes. */
export function darkPlan(
  mode: "hot" | "cold",
): { pixels: number; stride: number; bytes: number } {
  const pixels = mode === "cold" ? 512 * 1024 : 4096;
  const stride = 2 * pixels + SKEW;
  return { pixels, stride, bytes: FRAMES * stride };
}

/** Writes dark frames of gain 0, enough for both modes: a pedestal of 2800 ADU and 32 ADU of noise. */
export function writeDarkFrames(path: string): void {
  using file = File.open(path, { write: true, create: "exclusive" });
  const { bytes } = darkPlan("cold");
  const raw = new Uint16Array(bytes / 2);
  for (let i = 0; i < raw.length; i++) raw[i] = 2800 + (Math.imul(i, 0x9e3779b1) >>> 27);
  file.writeAt(new Uint8Array(raw.buffer), 0);
}
