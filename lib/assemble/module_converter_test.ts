import assert from "node:assert/strict";
import { dataPath } from "../ring/mod.ts";
import { FRAME_BYTES, Rig, valueOf } from "./_testing.ts";
import { InlineConverters } from "./converters.ts";
import { type ConverterSetup, ModuleConverter } from "./module_converter.ts";

const MODULES = 4;
const IMAGE_SLOTS = 200;

/** Memories in which two of four frame rings fit, and 80 of 200 images: 2 groups × 3 runs. */
function smallMemories(): Rig {
  const slots = { frameSlots: 64, imageSlots: IMAGE_SLOTS };
  return new Rig({ modules: MODULES, ...slots, largestMemory: 408 * 1024 });
}

/** Mappings of a ring in this process, and how many of their bytes have been faulted in. */
function mapped(ring: string, access: "r--s" | "rw-s"): { mappings: number; bytes: number } {
  let mappings = 0, bytes = 0, own = false;
  for (const line of Deno.readTextFileSync("/proc/self/smaps").split("\n")) {
    const head = /^[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \S+ +(.*)$/.exec(line);
    if (head !== null) {
      own = head[1] === access && head[2] === dataPath(ring);
      if (own) mappings++;
    } else if (own && line.startsWith("Rss:")) bytes += 1024 * parseInt(line.slice(4));
  }
  return { mappings, bytes };
}

Deno.test("images are whole in 2 groups of modules × 3 runs of slots, and when a receiver restarts", () => {
  using rig = smallMemories();
  const send = (first: number, last: number): void => {
    for (let id = first; id <= last; id++) {
      rig.publishAll(id);
      rig.pump();
    }
  };
  send(1, 250);
  for (let i = 0; i < 10; i++) rig.pump();
  rig.receivers[1]![Symbol.dispose]();
  rig.pump(); // notices it
  using restarted = rig.restartReceiver(1);
  rig.receivers[1] = restarted;
  rig.now += 60_000_000n; // time for the next attempt to attach
  rig.pump();
  send(251, 500);
  rig.finish();
  assert.deepEqual(
    rig.images.map(({ imageId, values }) => ({ imageId, values })),
    Array.from({ length: 500 }, (_, i) => ({
      imageId: i + 1,
      values: Array.from({ length: MODULES }, (_, module) => valueOf(module, i + 1)),
    })),
  );
});

Deno.test("ModuleConverter faults the image ring in before the first image, and frames when they are read", () => {
  using rig = smallMemories();
  const imageBytes = IMAGE_SLOTS * MODULES * FRAME_BYTES;
  // A page has slots of several images, and so pixels of both groups.
  assert.deepEqual(mapped(rig.imageName, "rw-s"), { mappings: 6, bytes: 2 * imageBytes });
  assert.deepEqual(mapped(rig.frameNames[0]!, "r--s"), { mappings: 3, bytes: 0 });
  rig.publishAll(1);
  rig.finish();
  assert.ok(mapped(rig.frameNames[0]!, "r--s").bytes > 0);
});

Deno.test("ModuleConverter refuses a frame ring that leaves no room for an image", () => {
  let setup: ConverterSetup | undefined;
  using _ = new Rig({
    modules: 1,
    converters: (of, hands) => {
      setup = of;
      return new InlineConverters(hands());
    },
  });
  assert.throws(
    () => new ModuleConverter(setup!, 280 * 1024),
    new RangeError(
      "Frame rings and maps of 40960 bytes and an image of 256 do not fit into a memory of 286720: " +
        "lower frame_slots",
    ),
  );
});
