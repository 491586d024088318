import assert from "node:assert/strict";
import { RateMeter } from "./rates.ts";

Deno.test("RateMeter gives the rate between the last two samples", () => {
  let totals = { images: 10n, bytes: 1000n };
  const meter = new RateMeter(() => totals);
  meter.sample(0);
  assert.deepEqual(meter.rate, { images_per_second: 0, bytes_per_second: 0 });
  totals = { images: 15n, bytes: 2000n };
  meter.sample(500);
  assert.deepEqual(meter.rate, { images_per_second: 10, bytes_per_second: 2000 });
  meter.sample(1500);
  assert.deepEqual(meter.rate, { images_per_second: 0, bytes_per_second: 0 });
});

Deno.test("RateMeter gives no rate when the counters began anew", () => {
  let totals = { images: 10n, bytes: 1000n };
  const meter = new RateMeter(() => totals);
  meter.sample(0);
  totals = { images: 1n, bytes: 100n };
  meter.sample(1000);
  assert.deepEqual(meter.rate, { images_per_second: 0, bytes_per_second: 0 });
});
