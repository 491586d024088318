/**
 * Metadata of one image: the message of the image stream `ipc:///tmp/<detector>-image`.
 *
 * Format: `proto/std_buffer/image_metadata.proto`, std-daq's own fields.
 *
 * @module
 */
import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  ImageMetadataCompression,
  ImageMetadataDtype,
  ImageMetadataSchema,
  ImageMetadataStatus,
} from "../../proto/gen/std_buffer/image_metadata_pb.ts";
import { decodeMessage, encodeMessage, numberOf, uint64Of } from "./_message.ts";
import { ProtocolError } from "./protocol_error.ts";

/** Pixel type. */
export type Dtype =
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "float16"
  | "float32"
  | "float64";

/** What is known of the image's pixels; `id_missmatch` is the original's spelling. */
export type ImageStatus = "status_undefined" | "good_image" | "missing_packets" | "id_missmatch";

/** How the bytes in the ring are compressed. */
export type ImageCompression = "none" | "h5bitshuffle_lz4" | "blosc2";

/** GigaFRoST's part of the metadata. Times are camera ticks. */
export interface GigafrostImageMetadata {
  /** GigaFRoST. */
  readonly kind: "gf";
  /** Number of the scan. */
  readonly scanId: number;
  /** Scan time. */
  readonly scanTime: number;
  /** Synchronisation time. */
  readonly syncTime: number;
  /** When the frame was taken. */
  readonly frameTimestamp: bigint;
  /** How long it was exposed. */
  readonly exposureTime: bigint;
  /** Whether the image is to go into files. */
  readonly storeImage: boolean;
}

/** Jungfrau's part of the metadata. */
export interface JungfrauImageMetadata {
  /** Jungfrau. */
  readonly kind: "jf";
  /** detSpec3 of the packet headers. */
  readonly daqRec: bigint;
}

/** Eiger's part of the metadata. */
export interface EigerImageMetadata {
  /** Eiger. */
  readonly kind: "eg";
  /** Exposure time, 100 ns; the original leaves it 0. */
  readonly exptime: bigint;
}

/** Part of the metadata of a camera that is not read by UDP (PCO, bsread). */
export interface PcoImageMetadata {
  /** Cameras without UDP. */
  readonly kind: "pco";
  /** s since the epoch. */
  readonly globalTimestampSec: bigint;
  /** ns within the second. */
  readonly globalTimestampNs: bigint;
  /** Name of the image's bsread channel. */
  readonly bsreadName: string;
}

/** The part of the metadata that depends on the detector. */
export type DetectorImageMetadata =
  | GigafrostImageMetadata
  | JungfrauImageMetadata
  | EigerImageMetadata
  | PcoImageMetadata;

/** Metadata of one image. */
export interface ImageMetadata {
  /** The detector's number of the image: pulse id, bunch id or frame number. */
  readonly imageId: bigint;
  /** px */
  readonly height: number;
  /** px */
  readonly width: number;
  /** Bytes of the image in the ring, after compression. */
  readonly size: number;
  /** Type of a pixel. */
  readonly dtype: Dtype;
  /** Whether the image is whole. */
  readonly status: ImageStatus;
  /** How the bytes in the ring are compressed. */
  readonly compression: ImageCompression;
  /** Left out when the sender knows nothing more of the image. */
  readonly detector?: DetectorImageMetadata;
  /** The calibration that made the pixels (ours); left out where they are as received. */
  readonly calibrationId?: bigint;
}

/** Numbers of {@link ImageStatus} on the wire and in the files' metadata. */
export const IMAGE_STATUS: Readonly<Record<ImageStatus, number>> = {
  status_undefined: ImageMetadataStatus.status_undefined,
  good_image: ImageMetadataStatus.good_image,
  missing_packets: ImageMetadataStatus.missing_packets,
  id_missmatch: ImageMetadataStatus.id_missmatch,
};

/** Bytes of one pixel. */
export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = {
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
};

const DTYPES = byNumber<Dtype>({
  uint8: ImageMetadataDtype.uint8,
  uint16: ImageMetadataDtype.uint16,
  uint32: ImageMetadataDtype.uint32,
  uint64: ImageMetadataDtype.uint64,
  int8: ImageMetadataDtype.int8,
  int16: ImageMetadataDtype.int16,
  int32: ImageMetadataDtype.int32,
  int64: ImageMetadataDtype.int64,
  float16: ImageMetadataDtype.float16,
  float32: ImageMetadataDtype.float32,
  float64: ImageMetadataDtype.float64,
});
const STATUSES = byNumber<ImageStatus>(IMAGE_STATUS);
const COMPRESSIONS = byNumber<ImageCompression>({
  none: ImageMetadataCompression.none,
  h5bitshuffle_lz4: ImageMetadataCompression.h5bitshuffle_lz4,
  blosc2: ImageMetadataCompression.blosc2,
});

/**
 * The message for an image, byte for byte what the original sends for the same values.
 *
 * @throws {ProtocolError} If a value does not fit its field.
 */
export function encodeImageMetadata(metadata: ImageMetadata): Uint8Array<ArrayBuffer> {
  return encodeMessage(ImageMetadataSchema, imageMetadataToMessage(metadata));
}

/**
 * The metadata in a received message. Fields this version does not know are ignored.
 *
 * @throws {ProtocolError} If the bytes are no such message, or the pixel type, status or compression
 * is none of those known.
 */
export function decodeImageMetadata(bytes: Uint8Array): ImageMetadata {
  return imageMetadataFromMessage(decodeMessage(ImageMetadataSchema, bytes));
}

/**
 * Friendly form → protobuf message; for messages that carry an ImageMetadata.
 *
 * @throws {ProtocolError} If a value does not fit its field.
 */
export function imageMetadataToMessage(
  metadata: ImageMetadata,
): MessageInitShape<typeof ImageMetadataSchema> {
  const { detector, calibrationId } = metadata;
  return {
    imageId: uint64Of("image_id", metadata.imageId),
    height: uint64Of("height", metadata.height),
    width: uint64Of("width", metadata.width),
    size: uint64Of("size", metadata.size),
    dtype: ImageMetadataDtype[metadata.dtype],
    status: ImageMetadataStatus[metadata.status],
    compression: ImageMetadataCompression[metadata.compression],
    ...(detector === undefined ? {} : { detector: detectorToMessage(detector) }),
    ...(calibrationId === undefined
      ? {}
      : { calibrationId: uint64Of("calibration_id", calibrationId) }),
  };
}

/**
 * Protobuf message → friendly form.
 *
 * @throws {ProtocolError} As {@link decodeImageMetadata}.
 */
export function imageMetadataFromMessage(
  message: MessageShape<typeof ImageMetadataSchema>,
): ImageMetadata {
  const detector = detectorFromMessage(message.detector);
  return {
    imageId: message.imageId,
    height: numberOf("ImageMetadata.height", message.height),
    width: numberOf("ImageMetadata.width", message.width),
    size: numberOf("ImageMetadata.size", message.size),
    dtype: named("dtype", DTYPES, message.dtype),
    status: named("status", STATUSES, message.status),
    compression: named("compression", COMPRESSIONS, message.compression),
    ...(detector === undefined ? {} : { detector }),
    ...(message.calibrationId === 0n ? {} : { calibrationId: message.calibrationId }),
  };
}

type DetectorMessage = MessageShape<typeof ImageMetadataSchema>["detector"];
type DetectorMessageInit = NonNullable<
  MessageInitShape<typeof ImageMetadataSchema>["detector"]
>;

function detectorToMessage(detector: DetectorImageMetadata): DetectorMessageInit {
  switch (detector.kind) {
    case "gf": {
      const { kind, ...value } = detector;
      return { case: kind, value };
    }
    case "jf":
      return { case: "jf", value: { daqRec: detector.daqRec } };
    case "eg":
      return { case: "eg", value: { exptime: detector.exptime } };
    case "pco": {
      const { kind, ...value } = detector;
      return { case: kind, value };
    }
  }
}

function detectorFromMessage(message: DetectorMessage): DetectorImageMetadata | undefined {
  switch (message.case) {
    case "gf": {
      const { scanId, scanTime, syncTime, frameTimestamp, exposureTime, storeImage } =
        message.value;
      return {
        kind: "gf",
        scanId,
        scanTime,
        syncTime,
        frameTimestamp,
        exposureTime,
        storeImage,
      };
    }
    case "jf":
      return { kind: "jf", daqRec: message.value.daqRec };
    case "eg":
      return { kind: "eg", exptime: message.value.exptime };
    case "pco": {
      const { globalTimestampSec, globalTimestampNs, bsreadName } = message.value;
      return { kind: "pco", globalTimestampSec, globalTimestampNs, bsreadName };
    }
    case undefined:
      return undefined;
  }
}

function byNumber<Name extends string>(
  numbers: Readonly<Record<Name, number>>,
): ReadonlyMap<number, Name> {
  const names = new Map<number, Name>();
  for (const name in numbers) names.set(numbers[name], name);
  return names;
}

function named<Name extends string>(
  field: string,
  names: ReadonlyMap<number, Name>,
  value: number,
): Name {
  const name = names.get(value);
  if (name === undefined) {
    const known = [...names].map(([number, name]) => `${number} ${name}`).join(", ");
    throw new ProtocolError(`ImageMetadata.${field} is ${value}, expected one of ${known}`);
  }
  return name;
}
