import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { File, unlink } from "../os/mod.ts";
import { ZmqError } from "./error.ts";
import { Socket } from "./socket.ts";

function sockets(): { push: Socket; pull: Socket } {
  const pull = new Socket("PULL");
  const push = new Socket("PUSH");
  push.connect(pull.bind(`inproc://${crypto.randomUUID()}`));
  return { push, pull };
}

Deno.test("tryReceiveMessage() gives the parts one by one", () => {
  const { push, pull } = sockets();
  using _push = push;
  using _pull = pull;
  strictEqual(pull.tryReceiveMessage(), undefined);
  push.trySend(["one", "", "three"]);
  const seen: [string, number, boolean][] = [];
  for (let i = 0; i < 3; i++) {
    using message = pull.tryReceiveMessage();
    ok(message);
    seen.push([new TextDecoder().decode(message.bytes()), message.size, message.more]);
  }
  deepStrictEqual(seen, [["one", 3, true], ["", 0, true], ["three", 5, false]]);
});

Deno.test("Message.copyTo() puts the bytes into WebAssembly memory", () => {
  const { push, pull } = sockets();
  using _push = push;
  using _pull = pull;
  push.trySend(new Uint8Array([1, 2, 3, 4, 5]));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  using message = pull.tryReceiveMessage();
  ok(message);
  const view = new Uint8Array(memory.buffer, 1000, 100);
  strictEqual(message.copyTo(view), 5);
  deepStrictEqual([...view.slice(0, 6)], [1, 2, 3, 4, 5, 0]);
  strictEqual(message.copyTo(view.subarray(10, 12)), 2);
  deepStrictEqual([...view.slice(10, 13)], [1, 2, 0]);
});

Deno.test("a message's memory goes straight into a file", () => {
  const { push, pull } = sockets();
  using _push = push;
  using _pull = pull;
  const sent = new Uint8Array(1_000_000).map((_, i) => i % 251);
  push.trySend(sent);
  using message = pull.tryReceiveMessage();
  ok(message);
  const path = `/dev/shm/std-daq-test-${Deno.pid}-${crypto.randomUUID()}`;
  using file = File.open(path, { write: true, create: "exclusive" });
  try {
    file.writeFrom(message.address, message.size, 0);
    const read = new Uint8Array(sent.byteLength);
    strictEqual(file.readAt(read, 0), sent.byteLength);
    deepStrictEqual(read, sent);
  } finally {
    unlink(path);
  }
});

Deno.test("a Message outlives its socket, and refuses use after its disposal", () => {
  const { push, pull } = sockets();
  push.trySend("x".repeat(1000));
  const message = pull.tryReceiveMessage();
  push.close();
  pull.close();
  ok(message);
  strictEqual(new TextDecoder().decode(message.bytes()), "x".repeat(1000));
  message[Symbol.dispose]();
  message[Symbol.dispose]();
  throws(() => message.bytes(), ZmqError);
  throws(() => message.copyTo(new Uint8Array(1)), ZmqError);
});
