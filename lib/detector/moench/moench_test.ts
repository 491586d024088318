import assert from "node:assert/strict";
import { moduleConfig } from "../_testing.ts";
import { datagramBytes, detectorFor, frameBytes } from "../mod.ts";
import { moench } from "./moench.ts";

const config = moduleConfig("moench");

Deno.test("a Moench frame is 50 datagrams of 6448 bytes: 400 × 400 px of 16 bit", () => {
  const format = moench.packetFormat(config);
  const { rows, chips, runPixels, pixelBytes } = moench.moduleLayout(config);
  assert.equal(detectorFor(config), moench);
  assert.equal(format.packetsPerFrame, 50);
  assert.equal(datagramBytes(format), 6448);
  assert.equal(frameBytes(format), 400 * 400 * 2);
  assert.deepEqual([rows, chips * runPixels, pixelBytes], [400, 400, 2]);
  assert.equal(moench.pixelType(config), "uint16");
});

Deno.test("a Moench packet has detector type 5 and counts images by its frame number", () => {
  const { detectorType, imageIdField } = moench.packetFormat(config);
  assert.deepEqual([detectorType, imageIdField], [5, "frame_number"]);
});
