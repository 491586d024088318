/**
 * A Worker that decompresses images.
 *
 * @module
 */
import { runDataWorker } from "../../lib/service/mod.ts";
import {
  runTransformer,
  SlotTransformer,
  type TransformQueue,
  type TransformSetup,
} from "../../lib/transform/mod.ts";

/** What the service tells such a Worker. */
export interface DecompressWorkerInit {
  setup: TransformSetup;
  queue: TransformQueue;
}

/** Distance of two complaints about images, ms. */
const COMPLAIN_EVERY_MS = 5_000;

runDataWorker<DecompressWorkerInit>(({ setup, queue }, control) => {
  const transformer = new SlotTransformer(setup);
  let complained = -Infinity;
  control.ready();
  runTransformer(queue, transformer, () => control.stopping, (slot, reason) => {
    if (performance.now() - complained < COMPLAIN_EVERY_MS) return;
    complained = performance.now();
    control.log("warning", `the image in slot ${slot} is damaged: ${reason}`);
  });
});
