/**
 * A compressor's thread.
 *
 * @module
 */
import { runDataWorker } from "../../lib/service/mod.ts";
import { type CompressorQueue, type ImageFormat, runCompressor } from "../../lib/writer/mod.ts";

/** What the service tells a compressor's thread. */
export interface CompressWorkerInit {
  format: ImageFormat;
  queue: CompressorQueue;
}

runDataWorker<CompressWorkerInit>(({ format, queue }, control) => {
  control.ready();
  runCompressor(queue, format, () => control.stopping);
});
