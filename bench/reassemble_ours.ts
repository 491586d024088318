/**
 * Our side of the reassembly lines: the kernel of a receive Worker, without a socket.
 *
 *   reassemble_ours.ts <ring name> <order|reverse> <ms>
 *
 * The same work as `native/reassemble.c`. Prints {"ns"}: CPU time per packet.
 *
 * @module
 */
import assert from "node:assert/strict";
import { detectorFor } from "../lib/detector/mod.ts";
import { HEADER_BYTES, instantiateKernels, RECEIVER } from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, MMSGHDR } from "../lib/os/mod.ts";
import { SLS_HEADER_VERSION, writeSlsHeader } from "../lib/protocol/mod.ts";
import { frameRingSpec, ModuleReceiver, readFrameCounts } from "../lib/receive/mod.ts";
import { benchConfig } from "./_config.ts";
import { printJson } from "./_print.ts";

/** Frames of the ring: more than the caches hold. */
const SLOTS = 128;

const [name, order, milliseconds] = Deno.args as [string, "order" | "reverse", string];
const config = benchConfig({ detector: "bench", type: "jungfrau-raw", modules: 1, port: 50_000 });
const detector = detectorFor(config);
const format = detector.packetFormat(config);
const layout = detector.moduleLayout(config);
const { packetsPerFrame } = format;
using receiver = new ModuleReceiver({
  format,
  ring: frameRingSpec({
    name,
    format,
    slots: SLOTS,
    dtype: 2,
    rows: layout.rows,
    columns: layout.chips * layout.runPixels,
  }),
  batch: packetsPerFrame,
  window: config.frame_window,
  idleNs: 1_000_000_000n,
  writeMessage: () => {},
  onFrame: () => {},
});
const { memory, state } = receiver;
const { armReceive, receiveBatch } = instantiateKernels(memory.memory);
const { dv } = memory;
const field = (at: number): number => dv.getUint32(state + at, true);
const headers = field(RECEIVER.headers_at);
for (let i = 0; i < packetsPerFrame; i++) {
  writeSlsHeader(dv, headers + i * HEADER_BYTES, {
    frameNumber: 0n,
    expLength: 0,
    packetNumber: order === "reverse" ? packetsPerFrame - 1 - i : i,
    detSpec1: 0n,
    timestamp: 0n,
    modId: 7,
    row: 1,
    column: 2,
    detSpec2: 0,
    detSpec3: 0,
    detSpec4: 0,
    detType: format.detectorType,
    version: SLS_HEADER_VERSION,
  });
  dv.setUint32(field(RECEIVER.messages_at) + i * MMSGHDR.bytes + MMSGHDR.length, 8240, true);
}
const words = new Uint32Array(memory.memory.buffer, headers, packetsPerFrame * HEADER_BYTES / 4);
const doneCount = (state + RECEIVER.done_count) / 4;
const low = new Uint32Array(memory.memory.buffer, 0, doneCount + 1);
let frame = 0;

// A function in its own right, so that the compiler gets at it.
function batch(): void {
  frame++;
  for (let i = 0; i < words.length; i += HEADER_BYTES / 4) words[i] = frame;
  armReceive(state);
  receiveBatch(state, packetsPerFrame, BigInt(frame));
  low[doneCount] = 0;
}

for (let i = 0; i < 2000; i++) batch();
const start = cpuTimeMicroseconds("thread");
let now = start, done = 0;
while (now - start < 1e3 * Number(milliseconds)) {
  for (let i = 0; i < 64; i++) batch();
  done += 64 * packetsPerFrame;
  now = cpuTimeMicroseconds("thread");
}
const { accepted, moved, frames_good } = readFrameCounts(receiver.ring.index);
assert.equal(frames_good, BigInt(frame), "every frame was complete");
assert.equal(accepted, BigInt(frame * packetsPerFrame));
const wrong = order === "reverse" ? 0.9 * Number(accepted) : 0;
assert.ok(
  Number(moved) >= wrong && Number(moved) <= wrong + 0.1 * Number(accepted),
  `${moved} moved`,
);
printJson({ ns: 1e3 * (now - start) / done });
