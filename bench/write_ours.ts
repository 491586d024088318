/**
 * Our side of the write row: the file writer as the writer service uses it, from an image ring.
 *
 *   write_ours.ts <ring name> <rows> <slots> <images> <output folder> [sync]
 *
 * Images of `rows` × 1024 pixels of 16 bit. Makes the ring, prints `ready`, waits for a line on stdin,
 * then writes a file and prints {"gb_per_s", "create_ms"}; again for every further line.
 *
 * @module
 */
import type { Accounting } from "../lib/accounting/mod.ts";
import { cpuTimeMicroseconds, type File, monotonicNs, unlink } from "../lib/os/mod.ts";
import { indexMemoryBytes, RingWriter, SharedMemory } from "../lib/ring/mod.ts";
import {
  createBeneathRoots,
  FileWriter,
  ImageLocator,
  InlineCompressors,
} from "../lib/writer/mod.ts";
import { TextLineStream } from "./_lines.ts";
import { print, printJson } from "./_print.ts";

const [name, rows, slotCount, imageCount, folder, sync] = Deno.args as [
  string,
  string,
  string,
  string,
  string,
  string | undefined,
];
const height = Number(rows), slots = Number(slotCount), images = Number(imageCount);
const slotBytes = height * 1024 * 2;
using ring = RingWriter.create(new SharedMemory(indexMemoryBytes(slots)), {
  name,
  slotBytes,
  slots,
  dtype: 2,
  height,
  width: 1024,
  geometry: 0n,
});
const pixels = new Uint8Array(slotBytes).map((_, i) => i * 31 >> 3);
for (let slot = 0; slot < slots; slot++) ring.data.writeAt(pixels, slot * slotBytes);
const compressors = new InlineCompressors({ elementBytes: 2, imageBytes: slotBytes });
using locator = new ImageLocator({ name, slotBytes, slots });

/** Time that counts: the thread's own, or that of the clock on the wall where a disk is waited for; s. */
function seconds(): number {
  return sync === undefined ? cpuTimeMicroseconds("thread") / 1e6 : Number(monotonicNs()) / 1e9;
}

/** Writes one file; returns how long its images took, and its creation. */
function writeFile(): { seconds: number; createMs: number } {
  let output: File | undefined;
  using writer = new FileWriter({
    detector: "bench",
    detectorType: "jungfrau-raw",
    height,
    width: 1024,
    pixelType: "uint16",
    images: locator,
    compressors,
    createFile: (path) => output = createBeneathRoots(path, [folder]),
    readAccounting: () => ({}) as Accounting, // nothing to count here
    attributes: {},
    clock: () => Date.now() / 1000,
  });
  const path = `${folder}/${name}.h5`;
  const begin = monotonicNs();
  check(writer.handle({
    action: "create_file",
    path,
    writerId: 0,
    nImages: images,
    acknowledgeImages: true,
    runId: 1n,
    request: "",
  }));
  const created = monotonicNs();
  const start = seconds();
  for (let i = 0; i < images; i++) {
    const imageId = BigInt(i + 1);
    const slot = i % slots;
    ring.lockSlot(slot);
    const entry = ring.publish({
      imageId,
      slot,
      status: 1,
      firstNs: 0n,
      completeNs: 0n,
      frameIndex: imageId,
      payloadBytes: slotBytes,
      missingPackets: 0,
      damagedPackets: 0,
      epoch: 0,
      maskLow: 1n,
      maskHigh: 0n,
      metadata: new Uint8Array(0),
    });
    check(writer.handle({
      action: "record_image",
      entry,
      metadata: {
        imageId,
        height,
        width: 1024,
        size: slotBytes,
        dtype: "uint16",
        status: "good_image",
        compression: "none",
      },
    }));
  }
  if (sync !== undefined) output!.sync();
  const end = seconds();
  check(writer.handle({ action: "close_file" }));
  unlink(path);
  return { seconds: end - start, createMs: Number(created - begin) / 1e6 };
}

function check(answer: { code: string; reason: string } | undefined): void {
  if (answer?.code !== "success") throw new Error(answer?.reason ?? "no answer");
}

print("ready");
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const _ of lines) {
  const written = writeFile();
  printJson({ gb_per_s: images * slotBytes / 1e9 / written.seconds, create_ms: written.createMs });
}
