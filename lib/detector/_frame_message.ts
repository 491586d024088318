import { FRAME_MESSAGE_BYTES, type FrameFields } from "./detector.ts";

/** Clears a frame struct and writes the fields that all detectors share (18 bytes). */
export function writeCommonFields(target: DataView, at: number, frame: FrameFields): void {
  for (let i = 0; i < FRAME_MESSAGE_BYTES; i += 8) target.setBigUint64(at + i, 0n, true);
  target.setBigUint64(at, frame.imageId, true);
  target.setBigUint64(at + 8, BigInt(frame.missingPackets), true);
  target.setUint16(at + 16, frame.module, true);
}
