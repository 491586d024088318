/**
 * A Worker that decompresses images.
 *
 * @module
 */
import { runDataWorker } from "../../lib/service/run_data_worker.ts";
import { runTransformWorker, type TransformWorkerInit } from "../../lib/transform/mod.ts";

runDataWorker<TransformWorkerInit>(runTransformWorker);
