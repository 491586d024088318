/**
 * Detectors: packet format, module geometry and metadata of each kind, as one object.
 *
 * @module
 */
export { DetectorFolderError } from "./check_detector.ts";
export {
  datagramBytes,
  type Detector,
  frameBytes,
  type FrameFields,
  holdLimit,
  identityLimit,
  type ImageIdField,
  type ModuleLayout,
  MOST_HELD_PACKETS,
  packetDataBytes,
  type PacketFormat,
  packetPixelBytes,
  type RowPackets,
} from "./detector.ts";
export { detectorFor, UnsupportedDetectorError } from "./detector_for.ts";
export { ringFrameSlots } from "./frame_slots.ts";
export { FRAME_BYTES as FRAME_MESSAGE_BYTES } from "../protocol/mod.ts";
