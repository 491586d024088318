import assert from "node:assert/strict";
import { jungfrau, recordedConfig } from "./_test_configs.ts";
import {
  frameSlots,
  imageBytes,
  imageShape,
  imageSlots,
  modulePort,
  pixelType,
} from "./derived.ts";
import { parseConfig } from "./parse_config.ts";
import type { DetectorConfig } from "./schema.ts";

const config = (changes: Record<string, unknown> = {}): DetectorConfig =>
  parseConfig(jungfrau(changes)).config;

Deno.test("pixelType() follows the bit depth, and is float32 for converted Jungfrau images", async () => {
  const eiger = await recordedConfig("eiger05m_out");
  const types = [4, 8, 16, 32].map((bit_depth) =>
    pixelType(parseConfig({ ...eiger, bit_depth }).config)
  );
  assert.deepEqual(types, ["uint8", "uint8", "uint16", "uint32"]);
  assert.equal(pixelType(config()), "uint16");
  assert.equal(pixelType(config({ detector_type: "jungfrau-converted" })), "float32");
});

Deno.test("imageShape() and imageBytes() agree with the recorded image metadata", async () => {
  const expected = {
    eiger05m_out: [[514, 1030], 1058840],
    gigafrost_504x252: [[252, 504], 254016],
    jungfrau_converted_1m: [[512, 1024], 2097152],
  };
  for (const [name, [shape, bytes]] of Object.entries(expected)) {
    const { config } = parseConfig(await recordedConfig(name));
    assert.deepEqual(imageShape(config), shape);
    assert.equal(imageBytes(config), bytes);
  }
});

Deno.test("frameSlots() is the configured count, else 1000", () => {
  assert.equal(frameSlots(config()), 1000);
  assert.equal(frameSlots(config({ frame_slots: 16 })), 16);
});

Deno.test("imageSlots() is the configured count, else what ram_buffer_gb holds, at least 1000", () => {
  assert.equal(imageSlots(config()), 1000);
  assert.equal(imageSlots(config({ ram_buffer_gb: 1 })), 1000);
  assert.equal(imageSlots(config({ ram_buffer_gb: 10 })), Math.floor(10e9 / (1024 * 1024 * 2)));
  assert.equal(imageSlots(config({ ram_buffer_gb: 10, image_slots: 20 })), 20);
});

Deno.test("modulePort() counts from start_udp_port unless submodule_info gives another port", () => {
  assert.equal(modulePort(config(), 1), 50021);
  const moved = config({ submodule_info: [{ submodule: 1, port: 4000, activate: 1 }] });
  assert.deepEqual([modulePort(moved, 0), modulePort(moved, 1)], [50020, 4000]);
});

Deno.test("modulePort() throws RangeError when there is no such module", () => {
  for (const module of [-1, 2, 0.5, NaN]) {
    assert.throws(() => modulePort(config(), module), RangeError);
  }
});
