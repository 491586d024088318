import assert from "node:assert/strict";
import {
  driverAddress,
  frameRingName,
  frameStreamAddress,
  imageRingName,
  imageStreamAddress,
  writerAddress,
} from "./names.ts";
import { ProtocolError } from "./protocol_error.ts";

Deno.test("ring names are std-daq's", () => {
  assert.equal(frameRingName("JF1", 3), "JF1-3");
  assert.equal(imageRingName("JF1"), "JF1-image");
  assert.equal(imageRingName("JF1", "h5bitshuffle-lz4"), "JF1-h5bitshuffle-lz4");
});

Deno.test("addresses are std-daq's under /tmp, or under the folder given", () => {
  assert.equal(frameStreamAddress("JF1", 3), "ipc:///tmp/JF1-3");
  assert.equal(imageStreamAddress("JF1"), "ipc:///tmp/JF1-image");
  assert.equal(driverAddress("JF1", 0), "ipc:///tmp/JF1-driver-0");
  assert.equal(writerAddress("JF1", 2), "ipc:///tmp/JF1-writer-2");
  assert.equal(imageStreamAddress("JF1", "/run/daq/"), "ipc:///run/daq/JF1-image");
  assert.equal(imageStreamAddress("JF1", "/", "compressed"), "ipc:///JF1-compressed");
});

Deno.test("names that would leave their folder or not be valid throw ProtocolError", () => {
  assert.throws(() => imageRingName(""), /detector name "" cannot be in a file name/);
  assert.throws(() => imageRingName("../etc"), /detector name "..\/etc"/);
  assert.throws(() => imageRingName("a", "b/c"), /ring suffix "b\/c"/);
  assert.throws(() => imageRingName("a\0"), ProtocolError);
  assert.throws(() => frameRingName("a", -1), /module number -1/);
  assert.throws(() => writerAddress("a", 0.5), /writer number 0.5/);
  assert.throws(() => imageStreamAddress("a", "tmp"), /ipc folder "tmp" is not an absolute path/);
});

Deno.test("names longer than the system takes throw ProtocolError with the length", () => {
  assert.equal(imageStreamAddress("d".repeat(107 - "/tmp/-image".length)).length, 6 + 107);
  assert.throws(
    () => imageStreamAddress("d".repeat(108 - "/tmp/-image".length)),
    /has 108 bytes, expected at most 107: shorten detector_name or the ipc folder/,
  );
  assert.throws(() => imageRingName("é".repeat(130)), /has 266 bytes, expected at most 249/);
});
