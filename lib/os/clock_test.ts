import { ok } from "node:assert/strict";
import { monotonicNs, sleepMicroseconds, wallClockNs } from "./clock.ts";

Deno.test("wallClockNs() agrees with Date", () => {
  const before = BigInt(Date.now()) * 1_000_000n;
  const now = wallClockNs();
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  ok(before <= now && now <= after, `${before} <= ${now} <= ${after}`);
});

Deno.test("monotonicNs() advances by at least the time slept", () => {
  const before = monotonicNs();
  sleepMicroseconds(2000);
  ok(monotonicNs() - before >= 2_000_000n);
});
