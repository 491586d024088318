import assert from "node:assert/strict";
import { moduleConfig } from "../_testing.ts";
import { datagramBytes, detectorFor, frameBytes } from "../mod.ts";
import { gotthard2 } from "./gotthard2.ts";

const config = moduleConfig("gotthard2");

Deno.test("a Gotthard-II frame is one datagram of 2608 bytes: 1280 strips of 16 bit", () => {
  const format = gotthard2.packetFormat(config);
  const { rows, chips, runPixels, pixelBytes } = gotthard2.moduleLayout(config);
  assert.equal(detectorFor(config), gotthard2);
  assert.equal(format.packetsPerFrame, 1);
  assert.equal(datagramBytes(format), 2608);
  assert.equal(frameBytes(format), 1280 * 2);
  assert.deepEqual([rows, chips * runPixels, pixelBytes], [1, 1280, 2]);
  assert.equal(gotthard2.pixelType(config), "uint16");
});

Deno.test("a Gotthard-II packet has detector type 7 and counts images by its frame number", () => {
  const { detectorType, imageIdField } = gotthard2.packetFormat(config);
  assert.deepEqual([detectorType, imageIdField], [7, "frame_number"]);
});
