/**
 * Compressed images: as the writer compresses them, as std_data_compress does, and written through.
 *
 *   write_compressed_ours.ts <ring name> <file of images> <images> <output folder>
 *
 * Prints `ready`, takes lines `kernel`, `writer <threads>`, `ring <threads>` and `through`, and answers each
 * with {"gb_per_s", "gb_per_cpu_s", "stored"}: GB of pixels per second by the clock on the wall (of CPU time
 * for `through`), and per second of all threads' CPU time, and the share that is left of them.
 *
 * @module
 */
import {
  bitshuffleScratchBytes,
  compressChunk,
  compressedBound,
  kernelMemory,
} from "../lib/kernels/mod.ts";
import { cpuTimeMicroseconds, File, monotonicNs, pinThread, unlink } from "../lib/os/mod.ts";
import { indexMemoryBytes, RingReader, RingRecord, SharedMemory } from "../lib/ring/mod.ts";
import { decodeImageMetadata } from "../lib/protocol/mod.ts";
import { startDataWorker } from "../lib/service/mod.ts";
import {
  ImageSource,
  ImageTransformer,
  makeTransformQueues,
  type TransformQueue,
  type TransformSetup,
  WorkerHands,
} from "../lib/transform/mod.ts";
import { compressorSetup, ImageLocator, WorkerCompressors } from "../lib/writer/mod.ts";
import { IMAGE_BYTES, IMAGES as SLOTS, WIDTH } from "./_images.ts";
import { TextLineStream } from "./_lines.ts";
import { print, printJson } from "./_print.ts";
import { MEASURED_CPU } from "./_run.ts";
import {
  check,
  createFile,
  makeRing,
  makeWriter,
  publishNext,
  record,
  warmUp,
  writeImage,
} from "./_write_ring.ts";

const [name, imagesPath, imageCount, folder] = Deno.args as [string, string, string, string];
const images = Number(imageCount);
const height = IMAGE_BYTES / WIDTH / 2;
const format = { elementBytes: 2, imageBytes: IMAGE_BYTES } as const;
/** Images that wait in the ring for a thread. */
const AHEAD = SLOTS / 2;
const THREADS = [1, 2] as const;

using ring = makeRing(name, height, SLOTS);
{
  using file = File.open(imagesPath);
  const image = new Uint8Array(IMAGE_BYTES);
  for (let slot = 0; slot < SLOTS; slot++) {
    file.readAt(image, slot * IMAGE_BYTES);
    ring.data.writeAt(image, slot * IMAGE_BYTES);
  }
}
using compressed = makeRing(`${name}-z`, height, SLOTS);
const path = `${folder}/${name}.h5`;

const service = (file: string): URL => new URL(`../services/${file}`, import.meta.url);
const start = (url: URL, init: unknown): Promise<unknown> =>
  startDataWorker(url, { name: "worker", init, counters: [] }).ready;
/** Starts so many Workers of a service. */
const startWorkers = async (
  of: "std_h5_writer" | "std_data_compress",
  threads: number,
  setup: TransformSetup,
): Promise<TransformQueue[]> => {
  const queues = makeTransformQueues(threads);
  await Promise.all(
    queues.map((queue) => start(service(`${of}/compress_worker.ts`), { setup, queue })),
  );
  return queues;
};
const compressors = new WorkerCompressors(
  format,
  await startWorkers("std_h5_writer", Math.max(...THREADS), compressorSetup(format)),
);
const setup = { operation: "compress", blockElements: 0, ...format } as const;
const hands = new Map<number, WorkerHands>();
for (const threads of THREADS) {
  const queues = await startWorkers("std_data_compress", threads, setup);
  hands.set(threads, new WorkerHands(queues, () => false));
}

/** What one run yields. */
interface Result {
  gb_per_s: number;
  gb_per_cpu_s: number;
  stored: number;
}

function result(seconds: number, storedBytes: number, cpuSeconds = seconds): Result {
  const gb = images * IMAGE_BYTES / 1e9;
  const stored = storedBytes / 1e9 / gb;
  return { gb_per_s: gb / seconds, gb_per_cpu_s: gb / cpuSeconds, stored };
}

/** The kernel by itself, from memory to memory. */
function kernel(): Result {
  const bound = compressedBound(IMAGE_BYTES / 2, 2),
    scratch = bitshuffleScratchBytes(IMAGE_BYTES / 2, 2);
  const memory = new SharedMemory(SLOTS * (IMAGE_BYTES + bound + 64) + scratch + 64);
  const on = kernelMemory(memory.memory);
  const rooms = Array.from({ length: SLOTS }, (_, slot) => {
    const from = { at: memory.allocate(IMAGE_BYTES), bytes: IMAGE_BYTES };
    ring.data.readAt(memory.u8.subarray(from.at, from.at + from.bytes), slot * IMAGE_BYTES);
    return { from, to: { at: memory.allocate(bound), bytes: bound } };
  });
  const work = {
    elementBytes: 2,
    scratch: { at: memory.allocate(scratch), bytes: scratch },
  } as const;
  let stored = 0;
  for (const room of rooms) compressChunk(on, { ...room, ...work }); // its pages are there after that
  const begin = monotonicNs(), cpuBegin = cpuTimeMicroseconds("thread");
  for (let i = 0; i < images; i++) stored += compressChunk(on, { ...rooms[i % SLOTS]!, ...work });
  const seconds = Number(monotonicNs() - begin) / 1e9;
  return result(seconds, stored, (cpuTimeMicroseconds("thread") - cpuBegin) / 1e6);
}

/** The file writer, which has images compressed. */
function write(threads: number): Result {
  using locator = new ImageLocator(ring.spec);
  using writer = makeWriter({ height, images: locator, compressors, folder });
  createFile(writer, path, images, "bitshuffle-lz4", threads);
  const before = writer.bytesWritten;
  // The assembler's part is not timed: the same images, over and over.
  const orders = Array.from({ length: SLOTS }, () => record(ring, publishNext(ring)));
  const begin = monotonicNs(), cpuBegin = cpuTimeMicroseconds("process");
  for (let i = 0; i < images; i++) writer.handle(orders[i % SLOTS]!);
  check(writer.handle({ action: "confirm_last_image" }));
  const seconds = Number(monotonicNs() - begin) / 1e9;
  const cpu = (cpuTimeMicroseconds("process") - cpuBegin) / 1e6;
  writer.takeAnswers().forEach(check);
  check(writer.handle({ action: "close_file" }));
  unlink(path);
  return result(seconds, Number(writer.bytesWritten - before), cpu);
}

/** std_data_compress without its ZeroMQ. */
function transform(threads: number): Result {
  const own = hands.get(threads)!;
  using source = new ImageSource({
    ...ring.spec,
    memory: new SharedMemory(indexMemoryBytes(SLOTS)),
    onAttach: (from) => own.attach({ from, to: compressed.data.fd, slots: SLOTS }),
  });
  source.attach();
  const transformer = new ImageTransformer({
    source,
    ring: compressed,
    hands: own,
    publish: () => {},
  });
  const first = compressed.head;
  let published = 0;
  const begin = monotonicNs(), cpuBegin = cpuTimeMicroseconds("process");
  for (let done = 0; done < images; done = Number(compressed.head - first)) {
    for (; published < images && published - done < AHEAD; published++) publishNext(ring);
    if (!transformer.pump(monotonicNs())) own.wait(1);
  }
  const seconds = Number(monotonicNs() - begin) / 1e9;
  const cpu = (cpuTimeMicroseconds("process") - cpuBegin) / 1e6;
  const bytes = entries().reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);
  return result(seconds, bytes * images / SLOTS, cpu);
}

/** The entries of the compressed ring. */
function entries(): RingRecord[] {
  using reader = RingReader.open(new SharedMemory(indexMemoryBytes(SLOTS)), `${name}-z`);
  return Array.from({ length: SLOTS }, (_, i) => {
    const entry = new RingRecord();
    reader.read(reader.head - BigInt(SLOTS - i), entry);
    return entry;
  });
}

/** The file writer, of images that come compressed: those in the ring, over and over. */
function writeThrough(): Result {
  const orders = entries().map((entry) => ({
    action: "record_image" as const,
    entry: entry.entry,
    metadata: decodeImageMetadata(entry.metadata),
  }));
  using locator = new ImageLocator(compressed.spec);
  using writer = makeWriter({
    ...{ height, images: locator, compressors, folder, compressedImages: true },
  });
  createFile(writer, path, images, undefined);
  pinThread([MEASURED_CPU]); // as the yardstick
  const begin = cpuTimeMicroseconds("thread");
  for (let i = 0; i < images; i++) writeImage(writer, orders[i % SLOTS]!);
  writer.settle(true);
  const seconds = (cpuTimeMicroseconds("thread") - begin) / 1e6;
  pinThread(Array.from({ length: navigator.hardwareConcurrency }, (_, cpu) => cpu));
  check(writer.handle({ action: "close_file" }));
  unlink(path);
  return result(seconds, Number(writer.bytesWritten));
}

warmUp(`${name}-warm`, folder);
print("ready");
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) {
  const [what, threads] = line.split(" ");
  if (what === "kernel") printJson({ ...kernel() });
  else if (what === "writer") printJson({ ...write(Number(threads)) });
  else if (what === "ring") printJson({ ...transform(Number(threads)) });
  else printJson({ ...writeThrough() });
}
Deno.exit(0); // its Workers would go on
