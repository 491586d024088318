/**
 * Detectors: packet format, module geometry and metadata of each kind, as one object.
 *
 * @module
 */
export {
  datagramBytes,
  type Detector,
  frameBytes,
  type FrameFields,
  type ModuleLayout,
  type PacketFormat,
} from "./detector.ts";
export { detectorFor, UnsupportedDetectorError } from "./detector_for.ts";
export { FRAME_BYTES as FRAME_MESSAGE_BYTES } from "../protocol/mod.ts";
