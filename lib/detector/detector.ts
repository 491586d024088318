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

/**
 * Packets of whole rows that are numbered by their first row: the GigaFRoST's, which have a header of
 * their own. The last packet of a frame may be shorter.
 */
export interface RowPackets {
  /** Rows of every packet but the last, px. */
  readonly rowsPerPacket: number;
  /** Pixel bytes of the last packet. */
  readonly lastPayloadBytes: number;
  /** Bytes that follow the pixels of a packet and belong to none. */
  readonly paddingBytes: number;
  /** The same of the last packet. */
  readonly lastPaddingBytes: number;
}

/**
 * Where the image id of a packet is: in the frame number (u64), in the bunch id (the whole part of an
 * f64 in detSpec1), or in the bunch id of packets that have one: 0 is none, and then it is the frame number.
 */
export type ImageIdField = "frame_number" | "bunch_id" | "bunch_id_or_frame_number";

/** How a detector's UDP packets look: a header, then pixel bytes. */
export interface PacketFormat {
  /** Bytes of the header that precedes the pixels. */
  readonly headerBytes: number;
  /** Pixel bytes of a packet; those of the last one differ where `rows` says so. */
  readonly payloadBytes: number;
  /** Packets of one frame (one module's part of an image). */
  readonly packetsPerFrame: number;
  /** Header version (GigaFRoST: length of a row, 12-pixel blocks); another one is a malformed packet. */
  readonly headerVersion: number;
  /** The header's detector type (GigaFRoST: protocol id); another one is a foreign packet. */
  readonly detectorType: number;
  /** Where the image id is. */
  readonly imageIdField: ImageIdField;
  /** Left out: an SLS header, and packets that are all alike. */
  readonly rows?: RowPackets;
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
  readonly packedBits?: 4 | 12;
  /** Count of a saturated pixel, which says "at least"; left out: the largest of its bits. */
  readonly saturatedCount?: number;
  /** Modules that share a place, each with every so many-th row; left out: 1. */
  readonly interleaved?: number;
}

/** A received frame, as far as the receiver tells the world of it. */
export interface FrameFields {
  /** Index of the module. */
  readonly module: number;
  /** Image the frame is part of. */
  readonly imageId: bigint;
  /** Packets that never arrived. */
  readonly missingPackets: number;
  /** Bits of a pixel by the config. */
  readonly bitDepth: number;
  /** How the module's pixels lie in it. */
  readonly layout: ModuleLayout;
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
  /** For simulators: what the headers of all packets of a module have in common, if not SLS headers. */
  packetTemplate?(config: DetectorConfig, module: number): Uint8Array;
  /**
   * For simulators: a frame of packed pixels as its packets carry it, payload after payload.
   *
   * @param pixels The frame's pixels, row by row.
   * @param target {@link frameBytes} bytes.
   */
  packFrame?(
    config: DetectorConfig,
    pixels: ArrayLike<number>,
    target: Uint8Array,
  ): void;
}

/**
 * Bytes of one frame as its packets carry it, and of a slot of the frame ring. In the slot the pixels
 * are contiguous: where packets end with padding, the slot has as many bytes more at its end, as the
 * original's has.
 */
export function frameBytes(format: PacketFormat): number {
  const last = format.packetsPerFrame - 1;
  return last * packetDataBytes(format, 0) + packetDataBytes(format, last);
}

/** Pixel bytes of a packet. */
export function packetPixelBytes(format: PacketFormat, packet: number): number {
  const isLast = packet === format.packetsPerFrame - 1;
  return isLast && format.rows !== undefined ? format.rows.lastPayloadBytes : format.payloadBytes;
}

/** Bytes of a packet after its header: pixels and padding. */
export function packetDataBytes(format: PacketFormat, packet: number): number {
  const { rows, packetsPerFrame } = format;
  const isLast = packet === packetsPerFrame - 1;
  const padding = isLast ? rows?.lastPaddingBytes : rows?.paddingBytes;
  return packetPixelBytes(format, packet) + (padding ?? 0);
}

/** Bytes of one UDP datagram; default: of a frame's first. */
export function datagramBytes(format: PacketFormat, packet = 0): number {
  return format.headerBytes + packetDataBytes(format, packet);
}

/** Most of what {@link holdLimit} says. */
export const MOST_HELD_PACKETS = 32;

const FEWEST_HELD_PACKETS = 16;

/**
 * Consecutive packets with unbelievable frame numbers that prove a restart of the detector's counter:
 * half a frame. Where whole frames are a few packets long it is more: a few late copies in a row must
 * not look like a restart.
 */
export function holdLimit(format: PacketFormat): number {
  const half = Math.floor(format.packetsPerFrame / 2);
  return Math.max(FEWEST_HELD_PACKETS, Math.min(MOST_HELD_PACKETS, half));
}

/**
 * Packets of one sender that prove that it is the module: half a frame, so that already a module's only
 * image is believed, and no stray packet is.
 */
export function identityLimit(format: PacketFormat): number {
  return Math.max(1, Math.min(MOST_HELD_PACKETS, Math.floor(format.packetsPerFrame / 2)));
}
