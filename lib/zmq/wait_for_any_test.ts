import { ok, strictEqual, throws } from "node:assert/strict";
import { EventFd } from "../os/mod.ts";
import { ZmqError } from "./error.ts";
import { Socket } from "./socket.ts";
import { waitForAny } from "./wait_for_any.ts";

Deno.test("waitForAny() tells whether one of the sockets has a message", () => {
  using first = new Socket("PULL");
  using second = new Socket("PULL");
  using push = new Socket("PUSH");
  first.bind(`inproc://${crypto.randomUUID()}`);
  push.connect(second.bind(`inproc://${crypto.randomUUID()}`));
  const start = performance.now();
  strictEqual(waitForAny([first, second], 20), false);
  ok(performance.now() - start >= 19);
  push.trySend("x");
  strictEqual(waitForAny([first, second], 10_000), true);
  ok(second.tryReceive());
  strictEqual(waitForAny([first, second], 0), false);
});

Deno.test("waitForAny() waits for plain descriptors too", () => {
  using pull = new Socket("PULL");
  pull.bind(`inproc://${crypto.randomUUID()}`);
  using event = new EventFd();
  strictEqual(waitForAny([pull], 0, [event.fd]), false);
  event.signal();
  strictEqual(waitForAny([pull], 10_000, [event.fd]), true);
});

Deno.test("waitForAny() refuses endless waits and closed sockets", () => {
  throws(() => waitForAny([], Infinity), RangeError);
  throws(() => waitForAny([], -1), RangeError);
  const socket = new Socket("PULL");
  socket.close();
  throws(() => waitForAny([socket], 0), ZmqError);
});
