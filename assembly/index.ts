/** The kernels' exports, one file each. */
export { armReceive, expireFrames, receiveBatch, resetReceiver } from "./reassemble";
export { assembleMirrored, assembleModule, blankModule, fillModule } from "./assemble";
export {
  correctJungfrauFloat32,
  correctJungfrauInt16,
  correctJungfrauInt32,
  correctJungfrauUint16,
} from "./correct_jungfrau";
export { isZero } from "./is_zero";
export { setPixels, shareCounts, shareFloats, shareSigned } from "./fill_gaps";
export { packetiseFrame, packetiseSchedule } from "./packetise";
export { accumulatePedestal, countGains, finishPedestal } from "./pedestal";
export { bitshuffle, bitunshuffle } from "./bitshuffle";
export { compressBlocks, decompressBlocks } from "./bitshuffle_lz4";
export { lz4Compress, lz4Decompress } from "./lz4";
export { applyMask } from "./mask";
export { binF32, binU16, binU32, binU8 } from "./bin";
export { statisticsF32, statisticsU16, statisticsU32, statisticsU8 } from "./statistics";
export { histogramF32, histogramU16, histogramU32, histogramU8 } from "./histogram";
export { crop } from "./crop";
export { xxh3 } from "./xxh3";
export { setOpaqueZero } from "./common";
export { transposeModule } from "./rotate";
export { unpackNibbles } from "./unpack_nibbles";
export { trackPedestal } from "./track_pedestal";
export { unpackGigafrost } from "./unpack_gigafrost";
