import assert from "node:assert/strict";
import { PedestalAccumulator } from "./pedestal_accumulator.ts";

const PIXELS = 21;

/** Frame `n` of gain code `code`: pixel 3 has another one in every fifth frame, pixel 4 always. */
function darkFrame(n: number, code: number): Uint16Array {
  return Uint16Array.from({ length: PIXELS }, (_, i) => {
    const wrong = i === 4 || (i === 3 && n % 5 === 0);
    return (wrong ? code ^ 1 : code) << 14 | 2000 + 100 * i + (7 * n + i) % 16;
  });
}

function offer(accumulator: PedestalAccumulator, frame: Uint16Array): void {
  accumulator.place.set(new Uint8Array(frame.buffer));
}

Deno.test("a PedestalAccumulator makes the pedestals of the frames it accepts, gain after gain", () => {
  const accumulator = new PedestalAccumulator(PIXELS);
  for (const [code, count] of [[0, 37], [3, 16]] as const) {
    accumulator.begin(code);
    const frames = Array.from({ length: count }, (_, n) => darkFrame(n, code));
    for (const frame of frames) {
      offer(accumulator, new Uint16Array(PIXELS).fill(0xabcd)); // not accepted: no trace of it
      offer(accumulator, frame);
      accumulator.accept();
    }
    assert.equal(accumulator.frames, count);
    const { means, noises, wrong, frames: taken } = accumulator.finish();
    assert.equal(taken, count);
    for (let i = 0; i < PIXELS; i++) {
      const good = frames.map((frame) => frame[i]!).filter((raw) => raw >> 14 === code);
      const charges = good.map((raw) => raw & 0x3fff);
      const mean = charges.reduce((a, b) => a + b, 0) / charges.length;
      const square = charges.reduce((a, b) => a + (b - mean) ** 2, 0) / charges.length;
      assert.equal(wrong[i], count - good.length);
      assert.equal(means[i], Math.fround(mean));
      if (i === 4) assert.ok(Number.isNaN(noises[i]));
      else assert.ok(Math.abs(noises[i]! - Math.sqrt(square)) < 1e-6);
    }
  }
});

Deno.test("a PedestalAccumulator that begins anew forgets frames that it has not summed yet", () => {
  const accumulator = new PedestalAccumulator(PIXELS);
  const accept = (level: number): void => {
    offer(accumulator, new Uint16Array(PIXELS).fill(level));
    accumulator.accept();
  };
  accumulator.begin(0);
  for (const level of [9000, 9100]) accept(level);
  accumulator.begin(0);
  for (const level of [2000, 2002]) accept(level);
  const { means, frames } = accumulator.finish();
  assert.equal(frames, 2);
  assert.ok(means.every((mean) => mean === 2001));
});

Deno.test("a PedestalAccumulator tells the gain that most pixels have", () => {
  const accumulator = new PedestalAccumulator(PIXELS);
  for (const code of [0, 1, 2, 3]) {
    offer(accumulator, darkFrame(1, code));
    assert.equal(accumulator.dominantCode(), code);
  }
});

Deno.test("a PedestalAccumulator without frames has no pedestals", () => {
  const accumulator = new PedestalAccumulator(PIXELS);
  accumulator.begin(1);
  assert.throws(() => accumulator.finish(), /pedestal of 0 frames; give 1 to 262144/);
});
