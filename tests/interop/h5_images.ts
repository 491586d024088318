/** Images of the pattern that `h5_verify.py` knows. */
import { compressed } from "../../lib/hdf5/_testing.ts";
import type { ImageFile, ImageFileOptions } from "../../lib/hdf5/mod.ts";
import { addressOf } from "../../lib/os/mod.ts";

/** Appends the image of an id to a file that was made with these options. */
export function appendPatternImage(
  images: ImageFile,
  id: number,
  { height, width, compression }: Pick<ImageFileOptions, "height" | "width" | "compression">,
): void {
  const pixels = new Uint16Array(height * width);
  for (let i = 0; i < pixels.length; i++) pixels[i] = id * 31 + i * 7 + 1;
  const bytes = compression === "bitshuffle-lz4"
    ? compressed(pixels)
    : new Uint8Array(pixels.buffer);
  images.appendImage({
    imageId: BigInt(id),
    status: 1 + id % 3,
    address: addressOf(bytes),
    bytes: bytes.byteLength,
  });
}
