/**
 * What of an image is in its slot, and how it gets into a file.
 *
 * @module
 */
import { CHUNK_HEADER_BYTES } from "../kernels/mod.ts";
import type { PixelType } from "../hdf5/mod.ts";
import { copyFrom } from "../os/mod.ts";
import type { ImageMetadata } from "../protocol/mod.ts";
import type { LocatedImage } from "./image_locator.ts";

/** An image's bytes, as the ring has them. */
export interface ImageInRing {
  /** How many. */
  bytes: number;
  /** Whether they are a chunk of HDF5 filter 32008; else they are the pixels. */
  compressed: boolean;
}

/** The ring that images are written from. */
export interface WrittenRing {
  /** Its images come compressed, so far as they get smaller by it. */
  compressed: boolean;
  /** Rows of an image, px. */
  height: number;
  /** Columns of an image, px. */
  width: number;
  /** Type of a pixel. */
  pixelType: PixelType;
  /** Size of an image's pixels, and of a slot, bytes. */
  imageBytes: number;
}

/**
 * Looks whether an image is as the config says: a ring without an index does not tell, and images of another
 * shape or type may have the same size.
 *
 * @param metadata What its message says.
 * @throws {Error} If it is not.
 */
export function checkImage(
  { imageId, height, width, dtype }: ImageMetadata,
  ring: WrittenRing,
): void {
  if (height === ring.height && width === ring.width && dtype === ring.pixelType) return;
  throw new Error(
    `Image ${imageId} is of ${height} × ${width} pixels of ${dtype}, expected ` +
      `${ring.height} × ${ring.width} of ${ring.pixelType}. ` +
      "Start the service that makes the images with the same config.",
  );
}

/**
 * What is in an image's slot.
 *
 * @param metadata What its message says.
 * @throws {Error} If it cannot be written from this ring: the message says one thing and the ring is
 * another. What was overwritten meanwhile is told by `image.isIntact` alone.
 */
export function imageInRing(
  image: LocatedImage,
  { imageId, compression, size }: ImageMetadata,
  ring: WrittenRing,
): ImageInRing {
  if (compression === "none") return { bytes: ring.imageBytes, compressed: false };
  if (!ring.compressed || compression !== "h5bitshuffle_lz4") {
    throw new Error(
      `Image ${imageId} comes compressed (${compression}), which this ring's images should not be. ` +
        "Start agent and writer with the suffix of the ring that it is from (h5bitshuffle-lz4).",
    );
  }
  const bytes = image.bytes ?? size;
  const wrong = bytes < CHUNK_HEADER_BYTES || bytes > ring.imageBytes
    ? `${bytes} bytes, expected ${CHUNK_HEADER_BYTES} to ${ring.imageBytes}`
    : wrongHeader(image.address, ring.imageBytes);
  if (wrong === undefined || !image.isIntact()) return { bytes, compressed: true };
  throw new Error(
    `Image ${imageId} is no chunk of filter 32008 of this detector: ${wrong}. ` +
      "Start the compressor with the same config.",
  );
}

/** What a chunk says of itself, if it is wrong: the pixels it holds. */
function wrongHeader(address: bigint, imageBytes: number): string | undefined {
  const header = new Uint8Array(CHUNK_HEADER_BYTES);
  copyFrom(address, header);
  const held = new DataView(header.buffer).getBigUint64(0);
  return held === BigInt(imageBytes)
    ? undefined
    : `its header says ${held} bytes of pixels, expected ${imageBytes}`;
}
