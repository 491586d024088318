import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { closeDescriptor, listenUnix } from "../os/mod.ts";
import { ZmqError } from "./error.ts";
import { Socket, type SocketOptions, type SocketType } from "./socket.ts";

const decoder = new TextDecoder();

function ipc(): string {
  return `ipc:///tmp/std-daq-zmq-${Deno.pid}-${crypto.randomUUID()}`;
}

function pathOf(address: string): string {
  return address.slice("ipc://".length);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function text(parts: Uint8Array[] | undefined): string[] | undefined {
  return parts?.map((part) => decoder.decode(part));
}

function zmqCode(code: string): (error: unknown) => true {
  return (error) => {
    ok(error instanceof ZmqError, `not a ZmqError: ${error}`);
    strictEqual(error.code, code);
    return true;
  };
}

/** Calls `attempt` until it gives something, letting the event loop run; fails after 10 s. */
async function eventually<T>(attempt: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const result = attempt();
    if (result !== undefined && result !== false) return result;
    ok(performance.now() < deadline, "it did not happen within 10 s");
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
}

/** A bound and a connected socket; PUB has seen the subscription of SUB when this resolves. */
async function pair(
  bound: SocketType,
  connected: SocketType,
  address = ipc(),
): Promise<{ a: Socket; b: Socket; address: string }> {
  const a = new Socket(bound);
  const b = new Socket(connected, connected === "SUB" ? { subscribe: "" } : {});
  const real = a.bind(address);
  b.connect(real);
  if (bound === "PUB") {
    await eventually(() => {
      a.trySend("hello");
      return b.tryReceive();
    });
    while (b.tryReceive());
  }
  return { a, b, address: real };
}

Deno.test("PUSH to PULL carries parts of any size, empty ones too", async () => {
  const { a, b } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  const big = new Uint8Array(3_000_000).map((_, i) => i % 251);
  await push.send(["header", new Uint8Array(0), big]);
  const parts = await pull.receive({ timeoutMs: 10_000 });
  strictEqual(parts.length, 3);
  strictEqual(decoder.decode(parts[0]), "header");
  strictEqual(parts[1]!.byteLength, 0);
  deepStrictEqual(parts[2], big);
  strictEqual(pull.tryReceive(), undefined);
});

Deno.test("PUSH to PULL keeps 100 000 messages in order", async () => {
  const { a, b } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  const total = 100_000;
  const sending = (async () => {
    for (let i = 0; i < total; i++) {
      const message = new Uint8Array(new Uint32Array([i]).buffer);
      if (!push.trySend(message)) await push.send(message, { timeoutMs: 10_000 });
    }
  })();
  let next = 0;
  for await (const [part] of pull) {
    strictEqual(new Uint32Array(part!.buffer)[0], next);
    if (++next === total) break;
  }
  await sending;
  strictEqual(next, total);
});

Deno.test("PUB reaches every SUB that wants the prefix", async () => {
  using pub = new Socket("PUB");
  const address = pub.bind(ipc());
  using all = new Socket("SUB", { subscribe: "" });
  using some = new Socket("SUB", { subscribe: ["b", "c"] });
  all.connect(address);
  some.connect(address);
  await eventually(() => {
    pub.trySend("a-start");
    pub.trySend("b-start");
    return (all.tryReceive() !== undefined) && (some.tryReceive() !== undefined);
  });
  for (const message of ["a1", "b1", "c1", "d1", "end", "b-end"]) pub.trySend(message);
  const seen: string[] = [];
  while (seen.at(-1) !== "b-end") seen.push(text(await some.receive({ timeoutMs: 10_000 }))![0]!);
  deepStrictEqual(seen.filter((message) => message !== "b-start"), ["b1", "c1", "b-end"]);
});

Deno.test("unsubscribe() ends a subscription", async () => {
  const { a: pub, b: sub } = await pair("PUB", "SUB");
  using _a = pub;
  using _b = sub;
  sub.subscribe("only");
  sub.unsubscribe("");
  await eventually(() => {
    pub.trySend("other");
    pub.trySend("only");
    const first = text(sub.tryReceive());
    const second = text(sub.tryReceive());
    return first?.[0] === "only" && second?.[0] === "only";
  });
});

Deno.test("trySend() on PUB with nobody there drops and says sent", () => {
  using pub = new Socket("PUB", { sendHighWaterMark: 2 });
  pub.bind(ipc());
  for (let i = 0; i < 1000; i++) strictEqual(pub.trySend("x"), true);
});

Deno.test("PUSH with nobody there: trySend() is false, send() times out, sendBlocking() too", async () => {
  using push = new Socket("PUSH");
  push.bind(ipc());
  strictEqual(push.trySend("x"), false);
  strictEqual(push.trySendBuffer(new Uint8Array(3)), false);
  strictEqual(push.sendBlocking("x", 20), false);
  await rejects(push.send("x", { timeoutMs: 20 }), zmqCode("ETIMEDOUT"));
  using limited = new Socket("PUSH", { sendTimeoutMs: 20 });
  await rejects(limited.send("x"), zmqCode("ETIMEDOUT"));
});

Deno.test("send() waits for a peer and goes on when it comes", async () => {
  using push = new Socket("PUSH");
  const address = push.bind(ipc());
  const sending = push.send("late");
  using pull = new Socket("PULL");
  pull.connect(address);
  deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), ["late"]);
  await sending;
});

Deno.test("REQ and REP take turns, and out of turn is EFSM with advice", async () => {
  const { a: rep, b: req } = await pair("REP", "REQ");
  using _a = rep;
  using _b = req;
  for (let i = 0; i < 100; i++) {
    await req.send(`question ${i}`);
    deepStrictEqual(text(await rep.receive({ timeoutMs: 10_000 })), [`question ${i}`]);
    await rep.send([`answer ${i}`, "more"]);
    deepStrictEqual(text(await req.receive({ timeoutMs: 10_000 })), [`answer ${i}`, "more"]);
  }
  throws(() => rep.trySend("nobody asked"), (error: unknown) => {
    zmqCode("EFSM")(error);
    ok(error instanceof ZmqError && error.message.includes("turns"));
    return true;
  });
  await rejects(req.receive(), zmqCode("EFSM"));
});

Deno.test("ROUTER answers each DEALER by its routing id", async () => {
  using router = new Socket("ROUTER", { routerMandatory: true });
  const address = router.bind(ipc());
  using first = new Socket("DEALER", { routingId: "first" });
  using second = new Socket("DEALER", { routingId: "second" });
  first.connect(address);
  second.connect(address);
  await first.send(["", "one"]);
  await second.send(["", "two"]);
  for (let i = 0; i < 2; i++) {
    const [id, empty, question] = await router.receive({ timeoutMs: 10_000 });
    await router.send([id!, empty!, `re: ${decoder.decode(question)}`]);
  }
  deepStrictEqual(text(await first.receive({ timeoutMs: 10_000 })), ["", "re: one"]);
  deepStrictEqual(text(await second.receive({ timeoutMs: 10_000 })), ["", "re: two"]);
  throws(() => router.trySend(["stranger", "x"]), zmqCode("EHOSTUNREACH"));
});

Deno.test("PAIR over inproc goes both ways", async () => {
  const { a, b } = await pair("PAIR", "PAIR", `inproc://${crypto.randomUUID()}`);
  using _a = a;
  using _b = b;
  await a.send("there");
  await b.send("back");
  deepStrictEqual(text(await b.receive({ timeoutMs: 10_000 })), ["there"]);
  deepStrictEqual(text(await a.receive({ timeoutMs: 10_000 })), ["back"]);
});

Deno.test("bind() to tcp port * returns the real address", async () => {
  const { a, b, address } = await pair("PULL", "PUSH", "tcp://127.0.0.1:*");
  using pull = a;
  using push = b;
  ok(/^tcp:\/\/127\.0\.0\.1:[1-9]\d+$/.test(address), address);
  await push.send("over tcp");
  deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), ["over tcp"]);
});

Deno.test("two directions wait on one socket at once", async () => {
  using dealer = new Socket("DEALER");
  const address = dealer.bind(ipc());
  const receiving = dealer.receive({ timeoutMs: 10_000 });
  const sending = dealer.send("out", { timeoutMs: 10_000 });
  using peer = new Socket("DEALER");
  peer.connect(address);
  await peer.send("in");
  deepStrictEqual(text(await receiving), ["in"]);
  await sending;
  deepStrictEqual(text(await peer.receive({ timeoutMs: 10_000 })), ["out"]);
});

Deno.test("several receivers of one socket share its messages", async () => {
  const { a, b } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  const receiving = [1, 2, 3].map(() => pull.receive({ timeoutMs: 10_000 }));
  for (const message of ["x", "y", "z"]) await push.send(message);
  const got = (await Promise.all(receiving)).map((parts) => text(parts)![0]);
  deepStrictEqual(got.sort(), ["x", "y", "z"]);
});

Deno.test("a busy iteration lets timers run", async () => {
  const { a, b } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  let stop = false;
  const feeding = (async () => {
    while (!stop) await push.send("x");
  })();
  let fired = false;
  const timer = setTimeout(() => fired = true, 5);
  const deadline = performance.now() + 10_000;
  for await (const _ of pull) {
    if (fired || performance.now() > deadline) break;
  }
  stop = true;
  clearTimeout(timer);
  ok(fired);
  while (pull.tryReceive());
  await feeding;
});

Deno.test("receive() times out with ETIMEDOUT and the socket stays usable", async () => {
  const { a, b } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  await rejects(pull.receive({ timeoutMs: 10 }), zmqCode("ETIMEDOUT"));
  await push.send("after");
  deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), ["after"]);
});

Deno.test("an AbortSignal ends receive(), send() and messages() with its reason", async () => {
  using pull = new Socket("PULL");
  pull.bind(ipc());
  using push = new Socket("PUSH");
  push.bind(ipc());
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("enough");
  const ends = Promise.all([
    rejects(pull.receive({ signal }), reason),
    rejects(push.send("x", { signal }), reason),
    rejects(pull.waitReadable({ signal }), reason),
    rejects(async () => {
      for await (const _ of pull.messages({ signal })) ok(false, "no message was sent");
    }, reason),
  ]);
  controller.abort(reason);
  await ends;
  await rejects(pull.receive({ signal }), reason);
});

Deno.test("close() ends pending receives with ENOTSOCK and iterations quietly", async () => {
  const pull = new Socket("PULL");
  pull.bind(ipc());
  const pending = rejects(pull.receive(), zmqCode("ENOTSOCK"));
  const iterating = (async () => {
    let count = 0;
    for await (const _ of pull) count++;
    return count;
  })();
  pull.close();
  pull.close();
  await pending;
  strictEqual(await iterating, 0);
  strictEqual(pull.closed, true);
});

Deno.test("every operation on a closed socket is ENOTSOCK", async () => {
  const socket = new Socket("PAIR");
  socket.close();
  const calls = [
    () => socket.trySend("x"),
    () => socket.trySendBuffer(new Uint8Array(1)),
    () => socket.tryReceive(),
    () => socket.tryReceiveInto(new Uint8Array(1)),
    () => socket.tryReceiveMessage(),
    () => socket.receiveBlocking(0),
    () => socket.bind(ipc()),
    () => socket.connect(ipc()),
    () => socket.disconnect(ipc()),
    () => socket.subscribe(),
  ];
  for (const call of calls) throws(call, zmqCode("ENOTSOCK"));
  await rejects(socket.receive(), zmqCode("ENOTSOCK"));
  await rejects(socket.send("x"), zmqCode("ENOTSOCK"));
});

Deno.test("bind() gives an ipc socket exactly its mode and close() removes the file", () => {
  for (const mode of [undefined, 0o600, 0o660] as const) {
    const address = ipc();
    const socket = new Socket("PUB");
    try {
      socket.bind(address, mode === undefined ? {} : { mode });
      const stat = Deno.lstatSync(pathOf(address));
      strictEqual(stat.isSocket, true);
      strictEqual(stat.mode! & 0o7777, mode ?? 0o600);
    } finally {
      socket.close();
    }
    strictEqual(exists(pathOf(address)), false);
  }
});

Deno.test({
  name: "bind() gives an ipc socket to a group (only root can give to any)",
  ignore: Deno.uid() !== 0,
  fn(): void {
    using socket = new Socket("PUB");
    const address = socket.bind(ipc(), { mode: 0o660, gid: 12345 });
    strictEqual(Deno.lstatSync(pathOf(address)).gid, 12345);
  },
});

Deno.test("unbind() removes the file and lets another socket bind", async () => {
  const { a, b, address } = await pair("PULL", "PUSH");
  using pull = a;
  using _push = b;
  pull.unbind(address);
  strictEqual(exists(pathOf(address)), false);
  using other = new Socket("PULL");
  other.bind(address);
  throws(() => pull.unbind(address), zmqCode("ENOENT"));
});

Deno.test("bind() refuses a served address and says what to do", async () => {
  const { a, b, address } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  using other = new Socket("PULL");
  throws(() => other.bind(address), (error: unknown) => {
    zmqCode("EADDRINUSE")(error);
    ok(error instanceof ZmqError);
    strictEqual(error.call, "bind");
    strictEqual(error.address, address);
    ok(error.message.includes("another socket is bound"));
    return true;
  });
  await push.send("still served");
  deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), ["still served"]);
  using tcp = new Socket("PULL");
  const port = tcp.bind("tcp://127.0.0.1:*");
  throws(() => other.bind(port), zmqCode("EADDRINUSE"));
});

Deno.test("bind() and connect() refuse bad addresses", () => {
  using socket = new Socket("PULL");
  throws(() => socket.bind("nonsense"), zmqCode("EINVAL"));
  throws(() => socket.bind("ipc://*"), zmqCode("EINVAL"));
  throws(() => socket.bind("smoke://signal"), zmqCode("EPROTONOSUPPORT"));
  throws(() => socket.connect("smoke://signal"), zmqCode("EPROTONOSUPPORT"));
  throws(() => socket.bind(`ipc:///tmp/${crypto.randomUUID()}/none`), zmqCode("ENOENT"));
  throws(() => socket.bind(`ipc:///tmp/${"x".repeat(120)}`), zmqCode("ENAMETOOLONG"));
  throws(() => socket.connect("tcp://a\0b:1"), TypeError);
  throws(() => socket.disconnect("ipc:///tmp/not-connected"), zmqCode("ENOENT"));
});

Deno.test("bind() takes over the socket file of a dead process", async () => {
  const address = ipc();
  closeDescriptor(listenUnix(pathOf(address))); // a process that ends leaves its file like this
  strictEqual(exists(pathOf(address)), true);
  using pull = new Socket("PULL");
  pull.bind(address);
  using push = new Socket("PUSH");
  push.connect(address);
  await push.send("new owner");
  deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), ["new owner"]);
});

Deno.test("disconnect() ends the connection", async () => {
  const { a, b, address } = await pair("PULL", "PUSH");
  using _pull = a;
  using push = b;
  push.disconnect(address);
  await eventually(() => !push.trySend("x"));
});

Deno.test("the high-water marks bound what PUSH queues", async () => {
  using pull = new Socket("PULL", { receiveHighWaterMark: 10 });
  using push = new Socket("PUSH", { sendHighWaterMark: 10 });
  push.connect(pull.bind(`inproc://${crypto.randomUUID()}`));
  let queued = 0;
  while (push.trySend(new Uint8Array(10))) queued++;
  strictEqual(queued, 20);
  for (let i = 0; i < 20; i++) ok(pull.tryReceive());
  await eventually(() => push.trySend("room again"));
});

Deno.test("PUB drops for a slow SUB above the high-water mark, without waiting", async () => {
  using pub = new Socket("PUB", { sendHighWaterMark: 5 });
  using sub = new Socket("SUB", { receiveHighWaterMark: 5, subscribe: "" });
  sub.connect(pub.bind(`inproc://${crypto.randomUUID()}`));
  await eventually(() => {
    pub.trySend("hello");
    return sub.tryReceive();
  });
  while (sub.tryReceive());
  for (let i = 0; i < 1000; i++) strictEqual(pub.trySend(`${i}`), true);
  const got: string[] = [];
  for (let parts = sub.tryReceive(); parts; parts = sub.tryReceive()) got.push(text(parts)![0]!);
  ok(got.length >= 5 && got.length <= 10, `${got.length} messages`);
  deepStrictEqual(got, got.map((_, i) => `${i}`));
});

Deno.test("conflate keeps only the newest message", async () => {
  using pub = new Socket("PUB");
  using sub = new Socket("SUB", { subscribe: "", conflate: true });
  sub.connect(pub.bind(ipc()));
  await eventually(() => {
    pub.trySend("hello");
    return sub.tryReceive();
  });
  // Fewer than the publisher's high-water mark, which would drop the newest.
  for (let i = 0; i <= 500; i++) pub.trySend(`${i}`);
  let reads = 0;
  await eventually(() => {
    const parts = sub.tryReceive();
    if (parts) reads++;
    return parts && text(parts)![0] === "500";
  });
  ok(reads < 500, `${reads} reads`);
});

Deno.test("lingerMs lets unsent messages out after close()", async () => {
  const address = ipc();
  const push = new Socket("PUSH", { lingerMs: 10_000 });
  push.connect(address);
  for (let i = 0; i < 10; i++) strictEqual(push.trySend(`${i}`), true);
  push.close();
  using pull = new Socket("PULL");
  pull.bind(address);
  for (let i = 0; i < 10; i++) {
    deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), [`${i}`]);
  }
});

Deno.test("Socket refuses wrong options", () => {
  throws(() => new Socket("PUSH", { lingerMs: -1 }), RangeError);
  throws(() => new Socket("PUSH", { lingerMs: Infinity }), RangeError);
  throws(() => new Socket("PUSH", { sendHighWaterMark: -5 }), (error: unknown) => {
    zmqCode("EINVAL")(error);
    ok(error instanceof ZmqError && error.message.includes("sendHighWaterMark -5 of PUSH"));
    return true;
  });
  throws(() => new Socket("PULL", { subscribe: "x" }), zmqCode("EINVAL"));
});

Deno.test("maxMessageBytes protects the receiver", async () => {
  using pull = new Socket("PULL", { maxMessageBytes: 100 });
  const address = pull.bind(ipc());
  using bad = new Socket("PUSH");
  bad.connect(address);
  await bad.send(new Uint8Array(1000));
  using good = new Socket("PUSH");
  good.connect(address);
  await good.send("short");
  deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), ["short"]);
});

Deno.test("immediate queues nothing for a peer that is not there", async () => {
  const address = ipc();
  using eager = new Socket("PUSH");
  using push = new Socket("PUSH", { immediate: true, reconnectMs: 5 });
  eager.connect(address);
  push.connect(address);
  strictEqual(eager.trySend("x"), true);
  strictEqual(push.trySend("x"), false);
  using pull = new Socket("PULL");
  pull.bind(address);
  await push.send("x", { timeoutMs: 10_000 });
});

Deno.test("tcpKeepAlive and heartbeatMs are accepted, and messages flow with them", async () => {
  const options: SocketOptions = { tcpKeepAlive: true, heartbeatMs: 20 };
  using pull = new Socket("PULL", options);
  using push = new Socket("PUSH", options);
  push.connect(pull.bind("tcp://127.0.0.1:*"));
  await push.send("x");
  deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), ["x"]);
});

Deno.test("a message without parts is refused", () => {
  using push = new Socket("PUSH");
  throws(() => push.trySend([]), TypeError);
});

Deno.test("receiving on a sender is ENOTSUP", () => {
  using push = new Socket("PUSH");
  throws(() => push.tryReceive(), zmqCode("ENOTSUP"));
});

Deno.test("tryReceiveInto() fills a buffer, drops further parts and tells of a cut", async () => {
  const { a, b } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  const buffer = new Uint8Array(16);
  strictEqual(pull.tryReceiveInto(buffer), -1);
  strictEqual(push.trySendBuffer(new Uint8Array([1, 2, 3, 4]), 3), true);
  strictEqual(push.trySend(["first", "second", "third"]), true);
  strictEqual(push.trySend(new Uint8Array(100).fill(7)), true);
  const next = (): Promise<number> =>
    eventually(() => {
      const size = pull.tryReceiveInto(buffer);
      return size >= 0 && size;
    });
  strictEqual(await next(), 3);
  deepStrictEqual([...buffer.subarray(0, 4)], [1, 2, 3, 0]);
  strictEqual(await next(), 5);
  strictEqual(decoder.decode(buffer.subarray(0, 5)), "first");
  strictEqual(await next(), 100);
  ok(buffer.every((byte) => byte === 7));
  strictEqual(pull.tryReceiveInto(buffer), -1);
  throws(() => push.trySendBuffer(buffer, 17), RangeError);
});

Deno.test("tryReceiveInto() and trySendBuffer() take shared WebAssembly memory", async () => {
  const { a, b } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  bytes.set([1, 2, 3]);
  strictEqual(push.trySendBuffer(bytes.subarray(0, 3)), true);
  await pull.waitReadable({ timeoutMs: 10_000 });
  strictEqual(pull.tryReceiveInto(bytes.subarray(100, 200)), 3);
  deepStrictEqual([...bytes.slice(100, 104)], [1, 2, 3, 0]);
});

Deno.test("receiveBlocking() and sendBlocking() refuse endless waits", () => {
  using socket = new Socket("DEALER");
  for (const time of [Infinity, -1, NaN]) {
    throws(() => socket.receiveBlocking(time), RangeError);
    throws(() => socket.sendBlocking("x", time), RangeError);
  }
});

Deno.test("receiveBlocking() waits its time, or takes what comes", async () => {
  const { a, b } = await pair("PULL", "PUSH");
  using pull = a;
  using push = b;
  const start = performance.now();
  strictEqual(pull.receiveBlocking(120), undefined);
  ok(performance.now() - start >= 119);
  strictEqual(push.sendBlocking(["x", "y"], 1000), true);
  deepStrictEqual(text(pull.receiveBlocking(10_000)), ["x", "y"]);
});
