import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/mod.ts";
import { pipelineCommands, type PipelineOptions, ringNames, socketPaths } from "./pipeline.ts";

const { config } = parseConfig({
  detector_name: "JF2",
  detector_type: "jungfrau-raw",
  image_pixel_height: 1024,
  image_pixel_width: 1024,
  bit_depth: 16,
  n_modules: 2,
  start_udp_port: 50_000,
  module_positions: { "0": [0, 0, 1023, 511], "1": [0, 512, 1023, 1023] },
});
const OPTIONS = {
  configPath: "/etc/JF2.json",
  apiPort: 5123,
  dataRoots: ["/data/a", "/data/b"],
  frameSlots: 17,
  imageSlots: 67,
  ringBytes: 0,
};

Deno.test("pipelineCommands() starts the services along the data's way, with their arguments", () => {
  const lines = pipelineCommands(config, OPTIONS).map(({ name, args }) =>
    `${name} ${args.join(" ")}`
  );
  assert.deepEqual(lines, [
    "std_udp_recv /etc/JF2.json --modules 0-1 --frame-slots 17",
    "std_assembler /etc/JF2.json --frame-slots 17 --image-slots 67",
    "std_h5_writer /etc/JF2.json 0 --image-slots 67 --data-root /data/a /data/b",
    "writer_agent /etc/JF2.json --port 5123 --image-slots 67 --frame-slots 17 --data-root /data/a /data/b",
  ]);
});

Deno.test("pipelineCommands() passes on the assembler's threads and the log level", () => {
  const commands = pipelineCommands(config, { ...OPTIONS, workers: 3, logLevel: "debug" });
  assert.deepEqual(commands[1]?.args.slice(-2), ["--workers", "3"]);
  assert.ok(commands.every(({ logLevel }) => logLevel === "debug"));
});

Deno.test("pipelineCommands() gives every service the time that large rings take to be made", () => {
  const limits = (ringBytes: number): (number | undefined)[] =>
    pipelineCommands(config, { ...OPTIONS, ringBytes }).map(({ readyWithinMs }) => readyWithinMs);
  assert.deepEqual(limits(0), [30_000, 30_000, 30_000, 30_000]);
  // 200 GiB take 180 s where a GiB of new pages takes 0.9 s.
  assert.deepEqual(limits(200 * 2 ** 30), [430_000, 430_000, 430_000, 430_000]);
});

Deno.test("pipelineCommands() tells the store by the environment: SQLite to the agent, Redis to all, for their statuses", () => {
  const redis = { address: "redis://:secret@redis.psi:7" };
  const commands = pipelineCommands(config, { ...OPTIONS, store: redis });
  for (const { name, env, permissions } of commands) {
    const agent = name === "writer_agent";
    const status = { REDIS_URL: redis.address };
    assert.deepEqual(env, agent ? { ...status, STD_DAQ_STORE: redis.address } : status);
    assert.ok(permissions.some((flag) => /^--allow-net=.*redis\.psi:7$/.test(flag)));
  }
  const shown = commands.map(({ args, permissions }) => [args, permissions]);
  assert.ok(!JSON.stringify(shown).includes("secret"));

  const sqlite = { address: "sqlite:/var/lib/store" };
  for (const { name, env } of pipelineCommands(config, { ...OPTIONS, store: sqlite })) {
    assert.deepEqual(env, name === "writer_agent" ? { STD_DAQ_STORE: sqlite.address } : {});
  }
});

Deno.test("pipelineCommands() names services after their detector, and server, where others have some, too", () => {
  const names = (more: Partial<PipelineOptions>): (string | undefined)[] =>
    pipelineCommands(config, { ...OPTIONS, ...more }).map(({ serviceName }) => serviceName);
  const store = { address: "redis://redis.psi" };
  const services = ["std_udp_recv", "std_assembler", "std_h5_writer", "writer_agent"];
  assert.deepEqual(names({ store }), services.map((service) => `JF2.${service}`));
  assert.deepEqual(names({ broker: { address: "amqp://broker.psi" } }), names({ store }));
  const deployer = { server: "daq-1", runAddress: "ipc:///run/x/JF2-run" };
  assert.deepEqual(
    names({ store, deployer }),
    [...services, "config_deployer"].map((service) => `JF2.daq-1.${service}`),
  );
  const alone = names({ store: { address: "sqlite:/var/lib/store" } });
  assert.deepEqual(alone, services.map(() => undefined));
});

Deno.test("pipelineCommands() starts a deployer last, with the store and no more than its file", () => {
  const store = { address: "sqlite:/var/lib/std-daq/store" };
  const deployer = { server: "daq-1", runAddress: "ipc:///run/x/JF2-run" };
  const command = pipelineCommands(config, { ...OPTIONS, store, deployer }).at(-1);
  assert.equal(
    command?.args.join(" "),
    "daq-1 --file /etc/JF2.json --run ipc:///run/x/JF2-run",
  );
  assert.deepEqual(command.env, { STD_DAQ_STORE: store.address });
  const read = command.permissions.find((flag) => flag.startsWith("--allow-read="));
  const modules = new URL("../../lib/store", import.meta.url).pathname; // of the store's Worker
  assert.equal(read, `--allow-read=/etc/JF2.json,/var/lib/std-daq/store,${modules}`);
});

Deno.test("pipelineCommands() gives the agent, and nobody else, the broker, without its password being seen", () => {
  const broker = { address: "amqps://me:secret@broker.psi", files: ["/etc/ca.pem"] };
  const commands = pipelineCommands(config, { ...OPTIONS, broker, tag: "psi.jf.#" });
  const agent = commands.at(-1);
  assert.deepEqual(agent?.env, { BROKER_URL: broker.address });
  assert.deepEqual(agent.args.slice(-2), ["--tag", "psi.jf.#"]);
  assert.ok(agent.permissions.includes("--allow-net=127.0.0.1:5123,broker.psi:5671"));
  assert.ok(agent.permissions.some((flag) => /^--allow-read=.*,\/etc\/ca\.pem$/.test(flag)));
  assert.ok(commands.slice(0, -1).every(({ env }) => Object.keys(env ?? {}).length === 0));
  const shown = commands.map(({ args, permissions }) => [args, permissions]);
  assert.ok(!JSON.stringify(shown).includes("secret"));
});

Deno.test("pipelineCommands() gives the network to the agent alone, and nobody everything", () => {
  for (const { name, permissions } of pipelineCommands(config, OPTIONS)) {
    const net = permissions.filter((flag) => flag.startsWith("--allow-net"));
    assert.deepEqual(net, name === "writer_agent" ? ["--allow-net=127.0.0.1:5123"] : []);
    assert.ok(permissions.every((flag) => flag.includes("=")), "every permission is narrowed");
  }
});

Deno.test("pipelineCommands() starts every writer, each with a name of its own", () => {
  const two = { ...config, number_of_writers: 2 };
  const writers = pipelineCommands(two, OPTIONS).filter(({ name }) => /h5_writer/.test(name));
  const common = "--image-slots 67 --data-root /data/a /data/b";
  assert.deepEqual(writers.map(({ name, args }) => `${name} ${args.join(" ")}`), [
    `std_h5_writer_0 /etc/JF2.json 0 ${common}`,
    `std_h5_writer_1 /etc/JF2.json 1 ${common}`,
  ]);
  const sockets = socketPaths(two, "/run/x").slice(-4);
  assert.deepEqual(sockets.map((path) => path.replace("/run/x/JF2-", "")), [
    "driver-0",
    "writer-0",
    "driver-1",
    "writer-1",
  ]);
});

Deno.test("pipelineCommands() runs the compressor where images are compressed in a ring of their own", () => {
  const compressed = { ...config, compression: "bitshuffle-lz4", compressed_ring: true } as const;
  const lines = pipelineCommands(compressed, OPTIONS).map(({ name, args }) =>
    `${name} ${args.join(" ")}`
  );
  assert.equal(lines[2], "std_data_compress /etc/JF2.json --image-slots 67");
  assert.equal(lines.length, pipelineCommands(config, OPTIONS).length + 1);
  assert.deepEqual(ringNames(compressed).slice(-2), ["JF2-image", "JF2-h5bitshuffle-lz4"]);
  assert.ok(socketPaths(compressed, "/run/x").includes("/run/x/JF2-h5bitshuffle-lz4"));
});

Deno.test("ringNames() and socketPaths() name all that a pipeline makes", () => {
  assert.deepEqual(ringNames(config), ["JF2-0", "JF2-1", "JF2-image"]);
  assert.deepEqual(socketPaths(config, "/run/x"), [
    "/run/x/JF2-run",
    "/run/x/JF2-0",
    "/run/x/JF2-1",
    "/run/x/JF2-image",
    "/run/x/JF2-driver-0",
    "/run/x/JF2-writer-0",
  ]);
  const converted = { ...config, detector_type: "jungfrau-converted" } as const;
  assert.deepEqual(socketPaths(converted, "/run/x").at(-1), "/run/x/JF2-calibration");
});
