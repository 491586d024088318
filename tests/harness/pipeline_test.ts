/** The harness itself: whatever happens in a test, nothing of it stays. */
import assert from "node:assert/strict";
import { isRunning } from "./daq.ts";
import { jungfrauConfig } from "./configs.ts";
import { leftovers } from "./leftovers.ts";
import { Pipeline, PIPELINE_SERVICES } from "./pipeline.ts";

Deno.test("a pipeline leaves nothing behind when a test fails, and does not hide the failure", async () => {
  const config = jungfrauConfig(1);
  let pids: number[] = [];
  let folder = "";
  const failing = async (): Promise<void> => {
    await using pipeline = await Pipeline.start(config);
    pids = PIPELINE_SERVICES.map((service) => pipeline.service(service).pid);
    folder = pipeline.dataRoot;
    throw new Error("as tests do");
  };
  await assert.rejects(failing, /as tests do/);
  assertNothingLeft(config.detector_name, pids, folder);
});

Deno.test("a pipeline leaves nothing behind when its services were killed", async () => {
  const config = jungfrauConfig(1);
  let pids: number[] = [];
  let folder = "";
  {
    await using pipeline = await Pipeline.start(config);
    pids = PIPELINE_SERVICES.map((service) => pipeline.service(service).pid);
    folder = pipeline.dataRoot;
    for (const service of PIPELINE_SERVICES) await pipeline.kill(service);
    assert.notDeepEqual(leftovers(config.detector_name), []);
  }
  assertNothingLeft(config.detector_name, pids, folder);
});

Deno.test("a pipeline leaves nothing behind when a service does not start", async () => {
  const config = jungfrauConfig(1);
  const starting = Pipeline.start(config, { args: { std_h5_writer: ["--no-such-option"] } });
  await assert.rejects(starting, /std_h5_writer ended without a ready line/);
  assert.deepEqual(leftovers(config.detector_name), []);
});

function assertNothingLeft(detector: string, pids: number[], folder: string): void {
  assert.deepEqual(pids.filter(isRunning), []);
  assert.deepEqual(leftovers(detector), []);
  assert.throws(() => Deno.statSync(folder), Deno.errors.NotFound);
}
