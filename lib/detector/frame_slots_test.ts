import assert from "node:assert/strict";
import { eigerConfig, jungfrauConfig } from "../simulate/_testing.ts";
import { ringFrameSlots } from "./mod.ts";

Deno.test("ringFrameSlots() gives the option, else the config's, else 1000", () => {
  assert.equal(ringFrameSlots(jungfrauConfig({ frame_slots: 5000 }), 64), 64);
  assert.equal(ringFrameSlots(jungfrauConfig({ frame_slots: 3072 })), 3072);
  assert.equal(ringFrameSlots(jungfrauConfig()), 1000);
});

Deno.test("ringFrameSlots() refuses rings of more than 3 GiB, and says how many slots there can be", () => {
  assert.throws(() => ringFrameSlots(jungfrauConfig({ frame_slots: 3073 })), {
    name: "ConfigError",
    message: /frame_slots is 3073; expected at most 3072: .* of 1048576 bytes a slot, .* 3 GiB/,
  });
  assert.throws(() => ringFrameSlots(eigerConfig({ bit_depth: 32 }), 10_000), {
    name: "ConfigError",
    message: /--frame-slots is 10000; expected at most 6144: /,
  });
});
