import assert from "node:assert/strict";
import { jungfrau } from "../config/_test_configs.ts";
import { detectorConfigSchema, parseConfig } from "../config/mod.ts";
import { CONFIG_OWNERS, servicesAffectedBy, START_ORDER } from "./config_owners.ts";

Deno.test("every field of the config's schema has an owner, and no other field has one", () => {
  assert.deepEqual(
    Object.keys(CONFIG_OWNERS).sort(),
    Object.keys(detectorConfigSchema.shape).sort(),
  );
});

Deno.test("a field without owner is one that the config warns of", () => {
  const { warnings } = parseConfig(jungfrau({
    max_number_of_forwarders_spawned: 3,
    use_all_forwarders: true,
    sender_sends_full_images: true,
    gpfs_block_size: 4096,
    live_stream_configs: { "tcp://127.0.0.1:9000": { type: "forward" } },
    delay_filter_timeout: 1,
  }));
  const nobody = Object.entries(CONFIG_OWNERS).filter(([, owners]) => owners.length === 0);
  assert.ok(nobody.length > 0);
  for (const [field] of nobody) {
    assert.ok(warnings.some((warning) => warning.startsWith(`${field} is ignored`)), field);
  }
});

Deno.test("files hold the config that images are made with: the writer reads all that anybody acts on", () => {
  for (const [field, owners] of Object.entries(CONFIG_OWNERS)) {
    assert.equal(owners.includes("std_h5_writer"), owners.length > 0, field);
  }
});

Deno.test("servicesAffectedBy() names only those that read the fields, along the data's way", () => {
  assert.deepEqual(servicesAffectedBy(["frame_timeout_ms"]), ["std_udp_recv", "std_h5_writer"]);
  assert.deepEqual(servicesAffectedBy(["no_images_timeout", "image_timeout_ms"]), [
    "std_assembler",
    "std_h5_writer",
    "writer_agent",
  ]);
  assert.deepEqual(servicesAffectedBy(["bit_depth"]), START_ORDER);
  assert.deepEqual(servicesAffectedBy(["gpfs_block_size", "a_field_of_somebody", "toString"]), []);
});
