import { ok, strictEqual } from "node:assert/strict";
import { EventFd, PollSet } from "./poll.ts";

Deno.test("PollSet.wait() returns 0 after its time when nothing is readable", () => {
  using event = new EventFd();
  const set = new PollSet([event.fd]);
  const start = performance.now();
  strictEqual(set.wait(20), 0);
  ok(performance.now() - start >= 19);
  strictEqual(set.isReadable(0), false);
});

Deno.test("PollSet tells which descriptor is readable", () => {
  using quiet = new EventFd();
  using loud = new EventFd();
  const set = new PollSet([quiet.fd, loud.fd]);
  loud.signal();
  strictEqual(set.wait(1000), 1);
  strictEqual(set.isReadable(0), false);
  strictEqual(set.isReadable(1), true);
});

Deno.test("EventFd.drain() takes all signals back at once and does not block without any", () => {
  using event = new EventFd();
  const set = new PollSet([event.fd]);
  event.signal();
  event.signal();
  strictEqual(set.wait(0), 1);
  event.drain();
  strictEqual(set.wait(0), 0);
  event.drain();
});

Deno.test("PollSet.waitAsync() leaves the event loop running and sees a later signal", async () => {
  using event = new EventFd();
  const set = new PollSet([event.fd]);
  const waiting = set.waitAsync(30_000);
  let turned = false;
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  turned = true;
  event.signal();
  strictEqual(await waiting, 1);
  ok(turned);
  strictEqual(set.isReadable(0), true);
});
