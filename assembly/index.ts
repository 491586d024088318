/** The kernels' exports, one file each. */
export { armReceive, expireFrames, receiveBatch, resetReceiver } from "./reassemble";
export { assembleMirrored, assembleModule, blankModule } from "./assemble";
export { fill } from "./fill";
export { setPixels, shareCounts, shareFloats } from "./fill_gaps";
export { packetiseFrame, packetiseSchedule } from "./packetise";
export { accumulatePedestal, countGains, finishPedestal } from "./pedestal";
export { bitshuffle, bitunshuffle } from "./bitshuffle";
export { compressBlocks, decompressBlocks } from "./bitshuffle_lz4";
export { lz4Compress, lz4Decompress } from "./lz4";
export { setOpaqueZero } from "./common";
export { transposeModule } from "./rotate";
export { unpackNibbles } from "./unpack_nibbles";
