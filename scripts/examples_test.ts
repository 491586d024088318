import assert from "node:assert/strict";
import { loadConfig } from "../lib/config/mod.ts";
import { detectorFor } from "../lib/detector/mod.ts";

const FOLDER = decodeURIComponent(new URL("../docs/examples/", import.meta.url).pathname);

for (const { name } of Deno.readDirSync(FOLDER)) {
  Deno.test(`docs/examples/${name} is a config without a warning, of a detector that is supported`, async () => {
    const { config, warnings } = await loadConfig(FOLDER + name);
    assert.deepEqual(warnings, []);
    assert.ok(detectorFor(config).packetFormat(config).packetsPerFrame > 0);
  });
}
