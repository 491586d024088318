/**
 * What a detector is: everything that the receivers, the assembler and the simulator need to know
 * about one kind of detector, as one object. Adding a detector is adding a folder beside this file, a
 * row in `lib/config/detector_facts.ts` and a line in `detector_for.ts`: see
 * `docs/how-to/add-a-detector.md`.
 *
 * @module
 */
import type { DetectorConfig, PixelType } from "../config/mod.ts";
import type { DetectorImageMetadata } from "../protocol/mod.ts";

/** How a detector's UDP packets look: an SLS header, then a fixed number of pixel bytes. */
export interface PacketFormat {
  /** Bytes of the header that precedes the pixels. */
  readonly headerBytes: number;
  /** Pixel bytes of a packet. */
  readonly payloadBytes: number;
  /** Packets of one frame (one module's part of an image). */
  readonly packetsPerFrame: number;
  /** Header version; another one is a malformed packet. */
  readonly headerVersion: number;
  /** The header's detector type; another one is a foreign packet. */
  readonly detectorType: number;
  /** Where the image id is: the frame number (u64), or the bunch id (an f64 in detSpec1). */
  readonly imageIdField: "frame_number" | "bunch_id";
}

/** How a module's pixels lie in a frame: rows of `chips` runs, and the gap the image leaves between. */
export interface ModuleLayout {
  /** Rows of a module, px. */
  readonly rows: number;
  /** Chips side by side in a row. */
  readonly chips: number;
  /** Pixels of one chip's row, px. */
  readonly runPixels: number;
  /** Pixels of the image between two chips, which no packet fills, px. */
  readonly gapPixels: number;
  /** Rows of pixels after which the image leaves a gap, px; left out: all rows, there is no gap. */
  readonly bandRows?: number;
  /** Rows of the image in such a gap, px. */
  readonly bandGapRows?: number;
  /** Size of a chip, px, if pixels at its borders inside the module are twice as large as others. */
  readonly chipSize?: { readonly columns: number; readonly rows: number };
  /** Modules that are as near as two chips are on one sensor: theirs are chip borders, too. */
  readonly joinedModules?: boolean;
  /** Bytes of a pixel as received; where pixels are packed, in the image. */
  readonly pixelBytes: number;
  /** Bits of a pixel as received, where pixels do not fill bytes. */
  readonly packedBits?: 4;
}

/** A received frame, as far as the receiver tells the world of it. */
export interface FrameFields {
  /** Index of the module. */
  readonly module: number;
  /** Image the frame is part of. */
  readonly imageId: bigint;
  /** Packets that never arrived. */
  readonly missingPackets: number;
  /** Bits of a pixel as received. */
  readonly bitDepth: number;
  /** View that holds the header of the frame's first packet. */
  readonly header: DataView;
  /** Where the header begins in it, byte. */
  readonly headerAt: number;
}

/** One kind of detector. Stateless: what depends on the deployment comes from its config. */
export interface Detector {
  /** Its name, for messages. */
  readonly name: string;
  /** Pixels are a 14-bit charge with the gain stage (0, 1 or 3) in the two highest bits. */
  readonly gainSwitching: boolean;
  /** How its packets look. */
  packetFormat(config: DetectorConfig): PacketFormat;
  /** How a module's pixels lie in a frame. */
  moduleLayout(config: DetectorConfig): ModuleLayout;
  /** Type of the assembled image's pixels. */
  pixelType(config: DetectorConfig): PixelType;
  /**
   * Writes the frame struct that std-daq's receivers publish: 64 bytes, see
   * `lib/protocol/frame.ts`.
   */
  writeFrameMessage(target: DataView, at: number, frame: FrameFields): void;
  /**
   * Reads the detector's part of `ImageMetadata` from a frame struct; undefined for a detector that the
   * message has no part for.
   */
  imageMetadata(message: DataView, at: number): DetectorImageMetadata | undefined;
}

/** Bytes of one frame: what a slot of the frame ring holds. */
export function frameBytes(format: PacketFormat): number {
  return format.payloadBytes * format.packetsPerFrame;
}

/** Bytes of one UDP datagram. */
export function datagramBytes(format: PacketFormat): number {
  return format.headerBytes + format.payloadBytes;
}
