/**
 * A converter Worker for the tests: gets its work by message, ends when its flag is set.
 *
 * @module
 */
import { runConverter } from "../converter_queue.ts";
import { type ConverterSetup, ModuleConverter } from "../module_converter.ts";

/** What the test sends. */
export interface TestWorkerInit {
  setup: ConverterSetup;
  queue: SharedArrayBuffer;
  bell: SharedArrayBuffer;
  /** Becomes 1 when the Worker shall end. */
  stop: SharedArrayBuffer;
}

const scope = self as unknown as DedicatedWorkerGlobalScope; // the lib types this as a window
scope.onmessage = ({ data }: MessageEvent<TestWorkerInit>): void => {
  const stop = new Int32Array(data.stop);
  const converter = new ModuleConverter(data.setup);
  runConverter(data.queue, data.bell, converter, () => Atomics.load(stop, 0) === 1);
  scope.postMessage("ended");
};
