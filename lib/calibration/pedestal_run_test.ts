import assert from "node:assert/strict";
import { parseConfig } from "../config/mod.ts";
import { TestFrameRing, uniqueRing } from "./_test_ring.ts";
import { GAIN_CODES, type GainIndex } from "./gain_stages.ts";
import { PedestalRun, PedestalTimeoutError } from "./pedestal_run.ts";

const PIXELS = 512 * 1024;
const GAINS: readonly GainIndex[] = [0, 1, 2];

function jungfrau(name: string, modules: number): ReturnType<typeof parseConfig>["config"] {
  return parseConfig({
    detector_name: name,
    detector_type: "jungfrau-raw",
    n_modules: modules,
    bit_depth: 16,
    image_pixel_height: modules * 512,
    image_pixel_width: 1024,
    start_udp_port: 50_000,
    module_positions: Object.fromEntries(
      Array.from({ length: modules }, (_, i) => [i, [0, 512 * i, 1023, 512 * i + 511]]),
    ),
  }).config;
}

function frame(gain: GainIndex, level: number): Uint16Array {
  return new Uint16Array(PIXELS).fill(GAIN_CODES[gain] << 14 | level);
}

Deno.test("a PedestalRun records gain by gain, each module for itself, until all have enough", async () => {
  const name = uniqueRing();
  using first = new TestFrameRing(`${name}-0`, PIXELS);
  using second = new TestFrameRing(`${name}-1`, PIXELS);
  using run = new PedestalRun(jungfrau(name, 2), { frames: 3, settle: 0 });
  for (const gain of GAINS) {
    let turn = 0;
    const seen: number[] = [];
    await run.record(gain, {
      timeoutMs: 60_000,
      onProgress: (frames) => {
        seen.push(frames);
        first.publish(frame(gain, 100 * gain + turn));
        // The second module's frames are incomplete at first.
        second.publish(frame(gain, 1000 + 100 * gain + turn), turn < 2 ? 1 : 0);
        turn++;
      },
    });
    assert.equal(seen.at(-1), 3);
  }
  const recorded = run.recorded();
  assert.deepEqual(
    recorded.map((stages) => stages.map(({ pedestal }) => pedestal.means[PIXELS - 1])),
    [[1, 101, 201], [1003, 1103, 1203]],
  );
  assert.deepEqual(
    recorded.map((stages) => stages.map(({ skipped }) => skipped.incomplete)),
    [[0, 0, 0], [2, 2, 2]],
  );
  assert.equal(recorded[1]![2]!.imageIds.length, 3);
});

Deno.test("a PedestalRun that gets nothing says what is missing of which module", async () => {
  const name = uniqueRing();
  using first = new TestFrameRing(`${name}-0`, PIXELS);
  using second = new TestFrameRing(`${name}-1`, PIXELS);
  using _fourth = new TestFrameRing(`${name}-3`, PIXELS);
  using run = new PedestalRun(jungfrau(name, 4), { frames: 2, settle: 0 });
  let told = false;
  const recording = run.record(1, {
    timeoutMs: 1000,
    onProgress: () => {
      if (told) return;
      told = true;
      first.publish(frame(0, 5));
      second.publish(frame(1, 5));
      second.publish(frame(1, 5), 7);
    },
  });
  await assert.rejects(recording, (error) => {
    assert.ok(error instanceof PedestalTimeoutError);
    assert.equal(
      error.message,
      "No dark frame of G1 for 1 s. " +
        "module 0: 0 of 2 frames, left out: 1 of another gain; the last one had G0; " +
        "module 1: 1 of 2 frames, left out: 1 incomplete; " +
        `module 2: 0 of 2 frames, and there is no ring ${name}-2: start std_udp_recv (daq run); ` +
        "module 3: 0 of 2 frames, and none came: see whether the detector takes data.",
    );
    return true;
  });
  assert.throws(() => run.recorded(), /G0 has not been recorded/);
});

Deno.test("a PedestalRun ends when its signal aborts", async () => {
  using run = new PedestalRun(jungfrau(uniqueRing(), 1), { frames: 2, settle: 0 });
  const controller = new AbortController();
  const reason = new Error("enough");
  const recording = run.record(0, {
    timeoutMs: 60_000,
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await assert.rejects(recording, reason);
});

for (
  const [what, options, message] of [
    ["one frame", { frames: 1, settle: 0 }, /1 frames of each gain; give 2 to 262144/],
    ["more frames than are exact", { frames: 300_000, settle: 0 }, /give 2 to 262144/],
    ["half a frame to settle", { frames: 2, settle: 0.5 }, /0\.5 frames to settle/],
  ] as const
) {
  Deno.test(`a PedestalRun refuses ${what}`, () => {
    assert.throws(() => new PedestalRun(jungfrau("JF", 1), options), message);
  });
}
