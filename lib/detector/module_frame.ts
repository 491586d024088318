/**
 * The frame struct of detectors that have none of their own on std-daq's wire.
 *
 * @module
 */
import { SLS_HEADER, writeJungfrauFrame } from "../protocol/mod.ts";
import type { FrameFields } from "./detector.ts";

/**
 * Writes the frame struct of a module with an SLS header: `JFFrame`, the one of std-daq's structs that
 * carries the detector's own frame number beside the image id. 64 bytes, see `lib/protocol/frame.ts`.
 */
export function writeModuleFrame(target: DataView, at: number, frame: FrameFields): void {
  const { header, headerAt } = frame;
  writeJungfrauFrame(target, at, {
    imageId: frame.imageId,
    missingPackets: BigInt(frame.missingPackets),
    moduleId: frame.module,
    id: 0n, // the original leaves it so
    frameIndex: header.getBigUint64(headerAt + SLS_HEADER.at.frameNumber, true),
    daqRec: BigInt(header.getUint32(headerAt + SLS_HEADER.at.detSpec3, true)),
    wideModuleId: BigInt(frame.module),
  });
}
