/**
 * What a file tells of each image beside its id and status: the records of `image_info`.
 *
 * @module
 */
import { detectorFacts, type DetectorType } from "../config/mod.ts";
import type { RecordFields, RecordValues } from "../hdf5/mod.ts";
import type { DetectorImageMetadata, ImageMetadata } from "../protocol/mod.ts";

/** What the image ring's index tells of an image. */
export interface ImageFacts {
  /** Packets missing. */
  readonly missingPackets: number;
  /** First packet, ns since 1970. */
  readonly firstNs: bigint;
  /** Last packet, or the end of waiting, ns since 1970. */
  readonly completeNs: bigint;
  /** When the image was published, ns since 1970. */
  readonly publishedNs: bigint;
  /** The detector's own frame number. */
  readonly frameIndex: bigint;
  /** Modules 0–63 that contributed, a bit each. */
  readonly maskLow: bigint;
  /** Modules 64–127. */
  readonly maskHigh: bigint;
  /** Calibration that the image was corrected with; 0: none. */
  readonly calibrationId: bigint;
}

/** Nothing known: an image that is not there, or of a ring without an index. */
export const NO_FACTS: ImageFacts = {
  missingPackets: 0,
  firstNs: 0n,
  completeNs: 0n,
  publishedNs: 0n,
  frameIndex: 0n,
  maskLow: 0n,
  maskHigh: 0n,
  calibrationId: 0n,
};

const COMMON_FIELDS: RecordFields = {
  missing_packets: "uint32",
  module_mask_low: "uint64",
  module_mask_high: "uint64",
  first_packet_ns: "uint64",
  complete_ns: "uint64",
  published_ns: "uint64",
  frame_index: "uint64",
  calibration_id: "uint64",
};

type Kind = DetectorImageMetadata["kind"];

/** What detectors tell of an image themselves, with the names of the message's fields. */
const OWN_FIELDS: Readonly<Record<Kind, RecordFields>> = {
  eg: { exptime: "uint64" },
  jf: { daq_rec: "uint64" },
  gf: {
    scan_id: "uint32",
    scan_time: "uint32",
    sync_time: "uint32",
    frame_timestamp: "uint64",
    exposure_time: "uint64",
    do_not_store: "uint8", // 0 is what a message without its detector's part says, too
  },
  pco: {},
};

/** Fields of `image_info` in files of a detector. */
export function imageInfoFields(type: DetectorType): RecordFields {
  const kind = detectorFacts(type).imageMetadata;
  return { ...COMMON_FIELDS, ...(kind === undefined ? {} : OWN_FIELDS[kind]) };
}

/** The values of these fields for an image. */
export function imageInfoValues(
  type: DetectorType,
  facts: ImageFacts,
  { detector, calibrationId = facts.calibrationId }: ImageMetadata,
): RecordValues {
  const { missingPackets, maskLow, maskHigh, firstNs, completeNs, publishedNs, frameIndex } = facts;
  const kind = detectorFacts(type).imageMetadata;
  return [
    missingPackets,
    maskLow,
    maskHigh,
    firstNs,
    completeNs,
    publishedNs,
    frameIndex,
    calibrationId,
    ...(kind === undefined ? [] : detector?.kind === kind ? ownValues(detector) : NOT_TOLD[kind]),
  ];
}

function ownValues(detector: DetectorImageMetadata): RecordValues {
  switch (detector.kind) {
    case "eg":
      return [detector.exptime];
    case "jf":
      return [detector.daqRec];
    case "gf": {
      const { scanId, scanTime, syncTime, frameTimestamp, exposureTime, storeImage } = detector;
      return [scanId, scanTime, syncTime, frameTimestamp, exposureTime, storeImage ? 0 : 1];
    }
    case "pco":
      return [];
  }
}

/** What a message without its detector's part leaves. */
const NOT_TOLD: Readonly<Record<Kind, RecordValues>> = {
  eg: zeros(OWN_FIELDS.eg),
  jf: zeros(OWN_FIELDS.jf),
  gf: zeros(OWN_FIELDS.gf),
  pco: zeros(OWN_FIELDS.pco),
};

function zeros(fields: RecordFields): RecordValues {
  return Object.keys(fields).map(() => 0);
}
