import assert from "node:assert/strict";
import { moduleConfig } from "../_testing.ts";
import { datagramBytes, detectorFor, frameBytes } from "../mod.ts";
import { mythen3 } from "./mythen3.ts";

for (
  const [bits, packets, datagram, type] of [
    [8, 1, 3888, "uint8"],
    [16, 1, 7728, "uint16"],
    [32, 2, 7728, "uint32"],
  ] as const
) {
  Deno.test(`a Mythen3 frame of ${bits} bit is ${packets} × ${datagram} bytes: 3840 counters`, () => {
    const config = moduleConfig("mythen3", { bit_depth: bits });
    const format = mythen3.packetFormat(config);
    const { rows, chips, runPixels, pixelBytes } = mythen3.moduleLayout(config);
    assert.equal(detectorFor(config), mythen3);
    assert.equal(format.packetsPerFrame, packets);
    assert.equal(datagramBytes(format), datagram);
    assert.equal(frameBytes(format), 3840 * bits / 8);
    assert.deepEqual([rows, chips * runPixels, pixelBytes], [1, 3840, bits / 8]);
    assert.equal(mythen3.pixelType(config), type);
  });
}

Deno.test("a Mythen3 packet has detector type 6 and counts images by its frame number", () => {
  const { detectorType, imageIdField } = mythen3.packetFormat(moduleConfig("mythen3"));
  assert.deepEqual([detectorType, imageIdField], [6, "frame_number"]);
});
