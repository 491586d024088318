import { deepStrictEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import settings from "../deno.json" with { type: "json" };
import { BINARY_NAMES, compileArguments } from "./compile.ts";
import { freePorts } from "./demo_data.ts";

const ROOT = new URL("../", import.meta.url).pathname;
/** A runtime for the binaries; without it `deno compile` downloads one, which not every network allows. */
const DENORT = Deno.env.get("DENORT_BIN");
/** What a binary may hold besides the runtime: the largest, with h5wasm, has 25 MiB. */
const MOST_EMBEDDED = 40 * 2 ** 20;

Deno.test("compileArguments() builds a service's own permissions in", () => {
  const args = compileArguments("std_udp_recv", "/opt/daq");
  const flag = (kind: string): string | undefined =>
    args.find((arg) => arg.startsWith(`--allow-${kind}`));
  const ffi = flag("ffi")?.slice("--allow-ffi=".length).split(",") ?? [];
  ok(ffi.includes("/opt/daq/libzmq.node"), ffi.join(" "));
  deepStrictEqual(ffi.filter((path) => !path.startsWith("/")), []);
  deepStrictEqual([flag("run"), flag("net"), flag("write"), flag("all")], Array(4).fill(undefined));
  ok(!compileArguments("udp_simulator", "/opt/daq").join(" ").includes("zmq"));
});

Deno.test("compileArguments() lets a binary reach the hosts that are named, and no other", () => {
  const net = (name: string, ...hosts: string[]): string | undefined =>
    compileArguments(name, "/opt/daq", hosts).find((arg) => arg.startsWith("--allow-net"));
  equal(net("writer_agent", "redis:6379"), "--allow-net=127.0.0.1,redis:6379");
  equal(net("std_udp_recv", "redis:6379", "10.0.0.1:5672"), "--allow-net=redis:6379,10.0.0.1:5672");
  equal(net("writer_agent"), "--allow-net=127.0.0.1");
});

Deno.test("compileArguments() lets a binary that can reach a Redis tell it its machine's name", () => {
  const sys = (name: string, ...hosts: string[]): string | undefined =>
    compileArguments(name, "/opt/daq", hosts).find((arg) => arg.startsWith("--allow-sys"));
  for (const name of BINARY_NAMES) {
    equal(sys(name, "redis:6379"), "--allow-sys=hostname", name);
    const reaches = compileArguments(name, "/opt/daq").some((arg) => arg.startsWith("--allow-net"));
    equal(sys(name), reaches ? "--allow-sys=hostname" : undefined, name);
  }
});

Deno.test("compileArguments() gives every kind of permission that a service's set in deno.json has", () => {
  for (const name of BINARY_NAMES) {
    const args = compileArguments(name, "/opt/daq");
    const set: object = Object.entries(settings.permissions).find(([key]) => key === name)![1];
    for (const kind of Object.keys(set)) {
      ok(args.some((arg) => arg.startsWith(`--allow-${kind}`)), `${name} has no ${kind}`);
    }
  }
});

Deno.test("compileArguments() includes every Worker", () => {
  for (const name of BINARY_NAMES) {
    const args = compileArguments(name, "/opt/daq");
    const included = args.filter((_, i) => args[i - 1] === "--include").toSorted();
    const workers = [...Deno.readDirSync(`${ROOT}services/${name}`)]
      .map((entry) => `services/${name}/${entry.name}`).filter((path) => /worker\.ts$/.test(path));
    deepStrictEqual(included, ["lib/store/_sqlite_worker.ts", ...workers.toSorted()]);
    deepStrictEqual(args.slice(-3), ["--output", `dist/${name}`, `services/${name}/main.ts`]);
  }
});

Deno.test("every folder of services is compiled, with a permission set of its own", () => {
  ok(BINARY_NAMES.includes("daq") && BINARY_NAMES.includes("std_udp_recv"));
  for (const name of BINARY_NAMES) ok(name in settings.permissions, name);
});

/** Compiles a service into a folder; returns the list of what is inside that `deno compile` prints. */
async function compile(name: string, folder: string, denort: string): Promise<string> {
  const args = compileArguments(name, folder)
    .map((arg) => arg === `dist/${name}` ? `${folder}/${name}` : arg);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [args[0]!, "--no-check", ...args.slice(1)], // `deno task check` has done that
    cwd: ROOT,
    env: { DENORT_BIN: denort, NO_COLOR: "1" },
    stdout: "null",
  }).output();
  const said = new TextDecoder().decode(stderr);
  const list = said.indexOf("Embedded Files");
  ok(success && list >= 0, said);
  return said.slice(list);
}

async function inFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: `std-daq-compile-${Deno.pid}-` });
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a binary holds the packages that its service and Workers import, and no other", () =>
  inFolder(async (folder) => {
    // A runtime that takes the service in; only to run the result, it has to be a denort.
    const runtime = DENORT ?? Deno.execPath();
    const packages = {
      std_udp_recv: ["zod", "@logtape/logtape", "@bufbuild/protobuf"],
      std_h5_writer: ["zod", "h5wasm"], // the Worker imports h5wasm
      daq: ["zod", "commander", "@bomb.sh/tab"],
    } as const;
    const names = ["std_udp_recv", "std_h5_writer", "daq"] as const;
    for (const name of names) {
      const list = await compile(name, folder, runtime);
      for (const wanted of packages[name]) ok(list.includes(wanted), `${name}: ${wanted}\n${list}`);
      ok(list.includes("kernels.ts"), list);
      for (
        const building of [
          /@bufbuild\/buf\W/,
          /assemblyscript/,
          /binaryen/,
          /typescript/,
          /fast-check/,
        ]
      ) {
        doesNotMatch(list, building, `${name} holds ${building}\n${list}`);
      }
      const { size } = await Deno.stat(`${folder}/${name}`);
      const embedded = size - (await Deno.stat(runtime)).size;
      ok(embedded < MOST_EMBEDDED, `${name} holds ${(embedded / 2 ** 20).toFixed()} MiB`);
    }
  }));

Deno.test({
  name: DENORT === undefined
    ? "a compiled service runs (not tried: set DENORT_BIN to a denort to compile with)"
    : "a compiled service runs",
  ignore: DENORT === undefined,
  fn: () =>
    inFolder(async (folder) => {
      for (const name of ["std_udp_recv", "daq"] as const) await compile(name, folder, DENORT!);
      const machine = Deno.build.arch === "x86_64" ? "x64" : "arm64";
      await Deno.copyFile(
        `${ROOT}node_modules/zeromq/build/linux/${machine}/node/glibc-127-Release/addon.node`,
        `${folder}/libzmq.node`,
      );
      const help = await new Deno.Command(`${folder}/daq`, { args: ["--help"] }).output();
      equal(help.code, 0, new TextDecoder().decode(help.stderr));
      match(new TextDecoder().decode(help.stdout), /Usage: daq/);
      await receiverGetsReady(folder);
    }),
});

const READY = '"event":"ready"';

/** Runs the compiled receiver until it is ready, and stops it. */
async function receiverGetsReady(folder: string): Promise<void> {
  const detector = `compile-${Deno.pid}`;
  const example = JSON.parse(await Deno.readTextFile(`${ROOT}docs/examples/jungfrau-1m.json`));
  const [port] = freePorts(2);
  const config = { ...example, detector_name: detector, start_udp_port: port, frame_slots: 16 };
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  const child = new Deno.Command(`${folder}/std_udp_recv`, {
    args: [`${folder}/config.json`],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!output.includes(READY) && (output + text).includes(READY)) child.kill("SIGTERM");
    output += text;
  }
  const { code } = await child.status;
  ok(output.includes(READY), await errors);
  equal(code, 0, await errors);
  deepStrictEqual(
    [...Deno.readDirSync("/dev/shm")].filter(({ name }) => name.startsWith(detector)),
    [],
  );
}
