import assert from "node:assert/strict";
import { RingProcess, TestName } from "./_test_ring.ts";

/** Entries that are written, in a ring of 2 slots: the writer laps the reader two million times. */
const ENTRIES = 4_000_000;

Deno.test("a torn read is never taken for a good one when the writer laps the reader", async () => {
  using ring = new TestName();
  await using writer = new RingProcess("lap", ring.name, ENTRIES);
  assert.deepEqual(await writer.answer(), { ready: true });
  await using reader = new RingProcess("follow", ring.name, ENTRIES);
  assert.deepEqual(await reader.answer(), { ready: true });
  await writer.say("go");
  const result = await reader.answer();
  assert.equal(result.wrong, 0, "torn entries were taken for good ones");
  assert.equal(result.disorder, 0);
  const [intact, overwritten, torn, overruns] = [
    result.intact,
    result.overwritten,
    result.torn,
    result.overruns,
  ].map(Number);
  assert.equal(intact! + overwritten! + overruns!, ENTRIES);
  assert.ok(overruns! > 0, "the writer was to lap the reader between its reads, it did not");
  assert.ok(torn! > 0, "the writer was to lap the reader in the middle of a read, it did not");
  assert.ok(overwritten! >= torn!);
  assert.ok(intact! > 0, "the reader was to see some entries, it saw none");
  assert.deepEqual(await writer.answer(), { head: ENTRIES });
});
