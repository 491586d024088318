/**
 * How long an image takes from the ring to the file: an assembler and a driver for a writer that runs.
 *
 *   write_latency_ours.ts <detector> <ipc folder> <rows> <slots> <file of images> <images/s> <images>
 *
 * Prints `ready` when it has made the detector's image ring. For each line `<path> <compression>` it
 * orders a file, publishes images at the rate, and prints {"p50", "p99"}: µs from an image's publication
 * in the index until the writer's answer that it has written it.
 *
 * @module
 */
import { File, monotonicNs } from "../lib/os/mod.ts";
import {
  decodeWriterResponse,
  driverAddress,
  encodeWriterAction,
  imageRingName,
  type WriterAction,
  writerAddress,
  type WriterResponse,
} from "../lib/protocol/mod.ts";
import { Socket } from "../lib/zmq/mod.ts";
import { percentile } from "./_figure.ts";
import { TextLineStream } from "./_lines.ts";
import { print, printJson } from "./_print.ts";
import { check, makeRing, publishNext, record } from "./_write_ring.ts";

const [detector, ipcFolder, rows, slotCount, imagesPath, rateText, imageCount] = Deno
  .args as [string, string, string, string, string, string, string];
const slots = Number(slotCount), images = Number(imageCount);
const periodNs = 1e9 / Number(rateText);
/** Longest wait for an answer, ms. */
const PATIENCE_MS = 10_000;
/** Images until everything that is hot is compiled. */
const WARM_UP = 100;

using ring = makeRing(imageRingName(detector), Number(rows), slots);
{
  using file = File.open(imagesPath);
  const image = new Uint8Array(ring.spec.slotBytes);
  for (let slot = 0; slot < slots; slot++) {
    file.readAt(image, (slot * image.length) % file.size());
    ring.data.writeAt(image, slot * image.length);
  }
}
using orders = new Socket("PUSH");
using answers = new Socket("PULL");
orders.bind(driverAddress(detector, 0, ipcFolder), { mode: 0o600 });
answers.connect(writerAddress(detector, 0, ipcFolder));

function ask(action: WriterAction): WriterResponse {
  orders.sendBlocking(encodeWriterAction(action), PATIENCE_MS);
  for (;;) {
    const bytes = answers.receiveBlocking(PATIENCE_MS)?.[0];
    if (bytes === undefined) throw new Error(`the writer does not answer ${action.action}`);
    const answer = decodeWriterResponse(bytes);
    if (answer.working === undefined) return answer;
  }
}

print("ready");
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) {
  const [path, how] = line.split(" ");
  check(ask({
    ...{ action: "create_file", path: path!, writerId: 0, nImages: 0, acknowledgeImages: true },
    ...{ runId: 1n, request: "" },
    compression: how === "bitshuffle-lz4" ? how : "none",
  }));
  const micros: number[] = [];
  let due = Number(monotonicNs());
  for (let i = 0; i < WARM_UP + images; i++) {
    while (Number(monotonicNs()) < due) await new Promise((resolve) => setTimeout(resolve, 1));
    due += periodNs;
    const entry = publishNext(ring);
    const published = monotonicNs();
    check(ask(record(ring, entry)));
    if (i >= WARM_UP) micros.push(Number(monotonicNs() - published) / 1e3);
  }
  check(ask({ action: "close_file" }));
  printJson({ p50: percentile(micros, 0.5), p99: percentile(micros, 0.99) });
}
