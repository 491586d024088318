import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { encodeDump } from "../../lib/protocol/dump.ts";
import { testContext } from "./_test_context.ts";
import { runDaq } from "./program.ts";
import { newReplaySkips, readRecordings } from "./replay_packets.ts";

const packet = (...bytes: number[]): Uint8Array => new Uint8Array(bytes);

/** A classic pcap (raw IPv4, µs) of UDP datagrams. */
function pcap(datagrams: { port: number; payload: Uint8Array }[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, 0xa1b2c3d4);
  header.setUint32(20, 101);
  parts.push(new Uint8Array(header.buffer));
  for (const { port, payload } of datagrams) {
    const length = 28 + payload.length;
    const record = new DataView(new ArrayBuffer(16 + length));
    record.setUint32(8, length);
    record.setUint32(12, length);
    record.setUint8(16, 0x45);
    record.setUint16(18, length);
    record.setUint8(25, 17);
    record.setUint16(38, port);
    record.setUint16(40, 8 + payload.length);
    const bytes = new Uint8Array(record.buffer);
    bytes.set(payload, 44);
    parts.push(bytes);
  }
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** A folder with these files and a config of `nModules` modules, removed afterwards. */
async function folder(
  files: Record<string, Uint8Array>,
  startPort = 50_000,
  nModules = 2,
): Promise<AsyncDisposable & { path(name: string): string }> {
  const dir = await Deno.makeTempDir();
  const config = {
    detector_name: "REPLAY",
    detector_type: "jungfrau-raw",
    image_pixel_height: 512 * nModules,
    image_pixel_width: 1024,
    bit_depth: 16,
    n_modules: nModules,
    start_udp_port: startPort,
    module_positions: Object.fromEntries(
      Array.from({ length: nModules }, (_, i) => [i, [0, 512 * i, 1023, 512 * i + 511]]),
    ),
  };
  await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify(config));
  for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${dir}/${name}`, bytes);
  return {
    path: (name) => `${dir}/${name}`,
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

async function list(
  ...args: Parameters<typeof readRecordings>
): Promise<[number, number | undefined][]> {
  const packets = await Array.fromAsync(readRecordings(...args));
  return packets.map(({ module, payload }) => [module, payload[0]]);
}

const MAPPING = { nModules: 2, recordedPort: 50_020 };

Deno.test("readRecordings() takes dumps in turns, one module each", async () => {
  await using dir = await folder({
    a: encodeDump([packet(1), packet(2), packet(3)]),
    b: encodeDump([packet(4)]),
  });
  const paths = [dir.path("a"), dir.path("b")];
  assert.deepEqual(await list(paths, MAPPING), [[0, 1], [1, 4], [0, 2], [0, 3]]);
  const swapped = { ...MAPPING, modules: [1, 0] };
  assert.deepEqual(await list(paths, swapped), [[1, 1], [0, 4], [1, 2], [1, 3]]);
});

Deno.test("readRecordings() maps a capture by its ports and counts the others", async () => {
  const datagrams = [50_021, 50_020, 50_022, 80].map((port, i) => ({ port, payload: packet(i) }));
  await using dir = await folder({ c: pcap(datagrams) });
  const skips = newReplaySkips();
  assert.deepEqual(await list([dir.path("c")], MAPPING, skips), [[1, 0], [0, 1]]);
  assert.equal(skips.otherPorts, 2);
});

Deno.test("readRecordings() refuses more dumps than modules, and a list that does not fit", async () => {
  await using dir = await folder({ a: encodeDump([packet(1)]) });
  const three = Array(3).fill(dir.path("a"));
  await assert.rejects(list(three, MAPPING), /no module 2: the detector has 2, 0 to 1/);
  await assert.rejects(
    list(three, { ...MAPPING, modules: [0] }),
    /--modules names 1 modules for 3 dumps/,
  );
});

Deno.test("daq replay sends every packet to its module's port and says how many", async () => {
  const receivers = await neighbours();
  try {
    const many = Array.from({ length: 200 }, (_, i) => packet(0, i));
    await using dir = await folder(
      { a: encodeDump(many), b: encodeDump([packet(1, 7, 7)]) },
      receivers[0].address().port,
    );
    const context = testContext();
    const args = [dir.path("config.json"), dir.path("a"), dir.path("b"), "--loop", "2", "--json"];
    const [code, first, second] = await Promise.all([
      runDaq(["replay", ...args], context),
      receive(receivers[0], 400),
      receive(receivers[1], 2),
    ]);
    assert.equal(code, 0, context.stderr);
    assert.deepEqual(first, [...many, ...many]);
    assert.deepEqual(second, [packet(1, 7, 7), packet(1, 7, 7)]);
    const { sent, bytes } = JSON.parse(context.stdout);
    assert.deepEqual({ sent, bytes }, { sent: 402, bytes: 806 });
  } finally {
    receivers.forEach((socket) => socket.close());
  }
});

Deno.test("daq replay keeps the rate asked for", async () => {
  await using dir = await folder({ a: encodeDump(Array(100).fill(packet(1))) }, 9);
  const context = testContext();
  const args = [dir.path("config.json"), dir.path("a"), "--rate", "500", "--json"];
  assert.equal(await runDaq(["replay", ...args], context), 0);
  const { seconds } = JSON.parse(context.stdout);
  assert.ok(seconds >= 0.19, `100 packets at 500/s took ${seconds} s`);
});

Deno.test("daq replay stops at Ctrl-C, also when it loops for ever", async () => {
  await using dir = await folder({ a: encodeDump([packet(1)]) }, 9);
  const context = testContext({ interactive: true });
  const running = runDaq(
    ["replay", dir.path("config.json"), dir.path("a"), "--rate", "50", "--loop", "0"],
    context,
  );
  const draw = context.err;
  context.err = (text) => {
    draw(text);
    context.stop();
  };
  assert.equal(await running, 0);
  assert.match(context.stdout, /^sent \d+ packets/);
});

Deno.test("daq replay has status 2 for a missing file and 1 for a damaged one", async () => {
  await using dir = await folder({ a: encodeDump([packet(1)]).slice(0, -1) }, 9);
  const config = dir.path("config.json");
  const missing = testContext();
  assert.equal(await runDaq(["replay", config, dir.path("none")], missing), 2);
  assert.match(missing.stderr, /none does not exist/);
  const damaged = testContext();
  assert.equal(await runDaq(["replay", config, dir.path("a")], damaged), 1);
  assert.match(damaged.stderr, /offset 0/);
});

/** Binds a socket on 127.0.0.1; port 0 takes a free one. */
async function bound(port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.bind(port, "127.0.0.1", resolve);
  await promise;
  return socket;
}

/** Two sockets on neighbouring free ports. */
async function neighbours(): Promise<[Socket, Socket]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = await bound(0);
    try {
      return [first, await bound(first.address().port + 1)];
    } catch { // the neighbour is taken: try elsewhere
      first.close();
    }
  }
  throw new Error("no two neighbouring ports are free");
}

async function receive(socket: Socket, count: number): Promise<Uint8Array[]> {
  const packets: Uint8Array[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("message", (bytes: Uint8Array) => {
    packets.push(new Uint8Array(bytes));
    if (packets.length === count) resolve();
  });
  await promise;
  return packets;
}
