/** The kernels' exports, one file each. */
export { armReceive, expireFrames, receiveBatch, resetReceiver } from "./reassemble";
export { assembleMirrored, assembleModule, blankModule } from "./assemble";
export { fill } from "./fill";
export { packetiseFrame, packetiseSchedule } from "./packetise";
export { accumulatePedestal, countGains, finishPedestal } from "./pedestal";
