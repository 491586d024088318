/**
 * Detectors whose modules are put into the image as they are, and of which std-daq's messages tell nothing
 * of their own.
 *
 * @module
 */
import { type DetectorConfig, pixelType } from "../config/mod.ts";
import {
  type DetectorImageMetadata,
  SLS_HEADER_BYTES,
  SLS_HEADER_VERSION,
} from "../protocol/mod.ts";
import type { Detector, ModuleLayout, PacketFormat } from "./detector.ts";
import { writeModuleFrame } from "./module_frame.ts";

/** What such detectors differ in. */
export interface RawModules {
  /** The detector's name. */
  readonly name: string;
  /** `detType` of its packets' headers. */
  readonly detectorType: number;
  /** The packets of a frame. */
  packets(config: DetectorConfig): Pick<PacketFormat, "payloadBytes" | "packetsPerFrame">;
  /** A module, px, without gaps, and its pixels, bytes. */
  module(config: DetectorConfig): { rows: number; columns: number; pixelBytes: number };
}

/**
 * A detector of such modules. Packets have slsDetectorPackage's header, version 2; frames are told of as
 * std_detector_buffer's `JFFrame`; the image id is the frame number.
 */
export function rawModules({ name, detectorType, packets, module }: RawModules): Detector {
  return {
    name,
    gainSwitching: false,

    packetFormat(config: DetectorConfig): PacketFormat {
      return {
        headerBytes: SLS_HEADER_BYTES,
        ...packets(config),
        headerVersion: SLS_HEADER_VERSION,
        detectorType,
        imageIdField: "frame_number",
      };
    },

    moduleLayout(config: DetectorConfig): ModuleLayout {
      const { rows, columns, pixelBytes } = module(config);
      return { rows, chips: 1, runPixels: columns, gapPixels: 0, pixelBytes };
    },

    pixelType,

    writeFrameMessage: writeModuleFrame,

    imageMetadata(): DetectorImageMetadata | undefined {
      return undefined; // the message has no part for it
    },
  };
}
