/**
 * The thread of std_data_compress.
 *
 * @module
 */
import { runDataWorker } from "../../lib/service/mod.ts";
import { runTransform, type TransformInit } from "../../lib/transform/mod.ts";

runDataWorker<TransformInit>(runTransform);
