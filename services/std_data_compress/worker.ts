/**
 * The thread of std_data_compress.
 *
 * @module
 */
import { runDataWorker } from "../../lib/service/run_data_worker.ts";
import { runTransform, type TransformInit } from "../../lib/transform/mod.ts";

runDataWorker<TransformInit>(runTransform);
