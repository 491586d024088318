/**
 * A converter Worker: the kernels for a share of the modules.
 *
 * @module
 */
import { type ConverterSetup, ModuleConverter, runConverter } from "../../lib/assemble/mod.ts";
import { runDataWorker } from "../../lib/service/run_data_worker.ts";

/** What the service tells a converter Worker. */
export interface ConverterWorkerInit {
  setup: ConverterSetup;
  queue: SharedArrayBuffer;
  bell: SharedArrayBuffer;
}

runDataWorker<ConverterWorkerInit>(({ setup, queue, bell }, control) => {
  const converter = new ModuleConverter(setup);
  control.ready();
  runConverter(queue, bell, converter, () => control.stopping);
});
