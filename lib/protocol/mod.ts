/**
 * The wire formats of std-daq: protobuf messages, frame structs, packet headers, packet dumps, and the
 * names of rings and sockets. Only bytes and values: no sockets, no files.
 *
 * @module
 */
export * from "./calibration_control.ts";
export * from "./dump.ts";
export * from "./frame.ts";
export * from "./gigafrost_header.ts";
export {
  decodeImageMetadata,
  type DetectorImageMetadata,
  type Dtype,
  DTYPE_BYTES,
  type EigerImageMetadata,
  encodeImageMetadata,
  type GigafrostImageMetadata,
  IMAGE_STATUS,
  type ImageCompression,
  type ImageMetadata,
  type ImageStatus,
  type JungfrauImageMetadata,
  type PcoImageMetadata,
} from "./image_metadata.ts";
export * from "./json.ts";
export * from "./names.ts";
export * from "./pcap.ts";
export * from "./protocol_error.ts";
export * from "./run_control.ts";
export * from "./sls_header.ts";
export * from "./wire_struct.ts";
export * from "./writer_action.ts";
export * from "./writer_response.ts";
