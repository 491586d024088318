/**
 * Row 5: from the last packet of an image to its metadata in another process.
 *
 * @module
 */
import { imageStreamAddress } from "../lib/protocol/mod.ts";
import { type Figure, percentile } from "./_figure.ts";
import { Pipeline } from "./_pipeline.ts";
import { freePort, native, readyLine, run, script, start } from "./_run.ts";

const PACKETS_PER_FRAME = 128;
const IMAGES_PER_SECOND = 100;
/** Images until everything that is hot is compiled. */
const WARM_UP = 200;

/** Measures `images` images of one Jungfrau module. Nothing is pinned. */
export async function latency(images: number): Promise<Figure[]> {
  const port = freePort();
  await using pipeline = await Pipeline.make({
    type: "jungfrau-raw",
    modules: 1,
    port,
    slots: 128,
  });
  await pipeline.start("std_udp_recv");
  await pipeline.start("std_assembler");
  const total = WARM_UP + images;
  const sent = `${pipeline.folder}/sent`, seen = `${pipeline.folder}/seen`;
  const address = imageStreamAddress(pipeline.config.detector_name, pipeline.folder);
  await using subscriber = start(script("latency_subscriber.ts", address, total, seen));
  await readyLine(subscriber);
  await run(native(
    "send",
    "127.0.0.1",
    port,
    "jungfrau",
    PACKETS_PER_FRAME,
    total,
    IMAGES_PER_SECOND * PACKETS_PER_FRAME,
    64,
    sent,
  ));
  await subscriber.result();
  const sentAt = await stamps(sent), seenAt = await stamps(seen);
  const micros = [...sentAt].filter(([id]) => id > BigInt(WARM_UP) && seenAt.has(id))
    .map(([id, at]) => Number(seenAt.get(id)! - at) / 1e3);
  const note =
    `${micros.length} of ${images} images at ${IMAGES_PER_SECOND}/s, one Jungfrau module`;
  const figure = (share: number): Figure => ({
    row: "latency",
    name: `last packet sent → ImageMetadata in another process, p${share * 100}`,
    unit: "µs",
    ours: percentile(micros, share),
    note,
  });
  return [figure(0.5), figure(0.99)];
}

/** Times by image id. */
async function stamps(path: string): Promise<Map<bigint, bigint>> {
  const words = new BigUint64Array((await Deno.readFile(path)).buffer);
  return new Map(
    Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i]!, words[2 * i + 1]!]),
  );
}
