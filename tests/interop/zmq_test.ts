/** lib/zmq against pyzmq, both ways. Needs /usr/bin/python3 with python3-zmq. */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Socket, type SocketOptions, type SocketType } from "../../lib/zmq/mod.ts";

const peerScript = new URL("./zmq_peer.py", import.meta.url).pathname;
const decoder = new TextDecoder();

function ipc(): string {
  return `ipc:///tmp/std-daq-interop-${Deno.pid}-${crypto.randomUUID()}`;
}

function text(parts: Uint8Array[]): string[] {
  return parts.map((part) => decoder.decode(part));
}

/** A running zmq_peer.py; ends when disposed. */
class PythonPeer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(
    type: SocketType,
    way: "bind" | "connect",
    address: string,
  ): Promise<PythonPeer> {
    const child = new Deno.Command("/usr/bin/python3", {
      args: [peerScript, type, way, address],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const peer = new PythonPeer(child);
    strictEqual(await peer.line(), "ready");
    return peer;
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#lines.read();
      ok(!done, "the Python peer ended early");
      this.#rest += value;
    }
  }

  /** The next line as JSON. */
  async json(): Promise<unknown> {
    return JSON.parse(await this.line());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    // Takes what is left, so that the peer never waits for a reader.
    while (!(await this.#lines.read()).done);
    const status = await this.#child.status;
    ok(status.success, `the Python peer failed with ${status.code}`);
  }
}

/** Our socket bound and Python's connected, then the other way round. */
async function bothWays(
  ours: SocketType,
  theirs: SocketType,
  options: SocketOptions,
  action: (socket: Socket, peer: PythonPeer) => Promise<void>,
): Promise<void> {
  for (const weBind of [true, false]) {
    const address = ipc();
    const socket = new Socket(ours, options);
    try {
      if (weBind) socket.bind(address);
      else socket.connect(address);
      await using peer = await PythonPeer.start(theirs, weBind ? "connect" : "bind", address);
      await action(socket, peer);
    } finally {
      socket.close();
      // Python removes the file of its own socket only if it closes it.
      await Deno.remove(address.slice("ipc://".length)).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }
}

Deno.test("pyzmq SUB receives what our PUB sends", () =>
  bothWays("PUB", "SUB", {}, async (pub, peer) => {
    let stop = false;
    const publishing = (async () => {
      for (let i = 0; !stop; i++) {
        pub.trySend("unwanted");
        pub.trySend(["data", `${i}`, new Uint8Array(100_000).fill(65)]);
        await new Promise<void>((resolve) => setTimeout(resolve, 1));
      }
    })();
    try {
      for (let n = 0; n < 20; n++) {
        const parts = await peer.json();
        ok(Array.isArray(parts));
        deepStrictEqual(parts[0], [4, "data"]);
        deepStrictEqual(parts[2], [100_000, "A".repeat(20)]);
      }
    } finally {
      stop = true;
      await publishing;
    }
  }));

Deno.test("our SUB receives what pyzmq PUB sends", () =>
  bothWays("SUB", "PUB", { subscribe: "data" }, async (sub) => {
    let previous: number | undefined;
    for (let n = 0; n < 20; n++) {
      const [topic, count, bytes] = await sub.receive({ timeoutMs: 10_000 });
      strictEqual(decoder.decode(topic), "data");
      const i = Number(decoder.decode(count));
      if (previous !== undefined) strictEqual(i, previous + 1);
      previous = i;
      deepStrictEqual(bytes, new Uint8Array(100_000).fill(i % 256));
    }
  }));

Deno.test("pyzmq PULL receives all that our PUSH sends, in order", () =>
  bothWays("PUSH", "PULL", {}, async (push, peer) => {
    for (let i = 0; i < 1000; i++) await push.send([`${i}`, ""], { timeoutMs: 10_000 });
    for (let i = 0; i < 1000; i++) {
      deepStrictEqual(await peer.json(), [[`${i}`.length, `${i}`], [0, ""]]);
    }
  }));

Deno.test("our PULL receives all that pyzmq PUSH sends, in order", () =>
  bothWays("PULL", "PUSH", {}, async (pull) => {
    for (let i = 0; i < 1000; i++) {
      deepStrictEqual(text(await pull.receive({ timeoutMs: 10_000 })), [`${i}`, ""]);
    }
  }));

Deno.test("our REQ asks pyzmq REP", () =>
  bothWays("REQ", "REP", {}, async (req) => {
    for (let i = 0; i < 100; i++) {
      await req.send(`question ${i}`);
      deepStrictEqual(text(await req.receive({ timeoutMs: 10_000 })), [`re: question ${i}`]);
    }
  }));

Deno.test("our REP answers pyzmq REQ", () =>
  bothWays("REP", "REQ", {}, async (rep, peer) => {
    for (let i = 0; i < 100; i++) {
      const question = text(await rep.receive({ timeoutMs: 10_000 }))[0]!;
      strictEqual(question, `question ${i}`);
      await rep.send([`re: ${question}`, "ours"]);
      deepStrictEqual(await peer.json(), [`re: ${question}`, "ours"]);
    }
  }));

Deno.test("our DEALER asks pyzmq ROUTER", () =>
  bothWays("DEALER", "ROUTER", { routingId: "ours" }, async (dealer) => {
    for (let i = 0; i < 100; i++) await dealer.send(["", `question ${i}`]);
    for (let i = 0; i < 100; i++) {
      deepStrictEqual(text(await dealer.receive({ timeoutMs: 10_000 })), ["", `re: question ${i}`]);
    }
  }));

Deno.test("our ROUTER answers pyzmq DEALER by its routing id", () =>
  bothWays("ROUTER", "DEALER", { routerMandatory: true }, async (router, peer) => {
    for (let i = 0; i < 100; i++) {
      const parts = text(await router.receive({ timeoutMs: 10_000 }));
      deepStrictEqual(parts, ["python", "", `question ${i}`]);
      await router.send(["python", "", `re: ${i}`]);
      deepStrictEqual(await peer.json(), ["", `re: ${i}`]);
    }
  }));
