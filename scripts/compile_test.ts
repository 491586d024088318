import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
import { BINARY_NAMES, compileArguments } from "./compile.ts";

const ROOT = new URL("../", import.meta.url).pathname;
/** A runtime for the binaries; without it `deno compile` downloads one, which not every network allows. */
const DENORT = Deno.env.get("DENORT_BIN");

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

Deno.test("compileArguments() includes every Worker and the kernels", () => {
  for (const name of BINARY_NAMES) {
    const args = compileArguments(name, "/opt/daq");
    const included = args.filter((_, i) => args[i - 1] === "--include").toSorted();
    const workers = [...Deno.readDirSync(`${ROOT}services/${name}`)]
      .map((entry) => `services/${name}/${entry.name}`).filter((path) => /worker\.ts$/.test(path));
    deepStrictEqual(included, [...workers, "wasm/kernels.wasm"].toSorted());
    deepStrictEqual(args.slice(-3), ["--output", `dist/${name}`, `services/${name}/main.ts`]);
  }
});

Deno.test("compileArguments() knows every service folder", () => {
  const folders = [...Deno.readDirSync(`${ROOT}services`)].map((entry) => entry.name).toSorted();
  deepStrictEqual([...BINARY_NAMES].toSorted(), folders);
});

Deno.test({
  name: DENORT === undefined
    ? "a compiled service runs (not tried: set DENORT_BIN to a denort to compile with)"
    : "a compiled service runs",
  ignore: DENORT === undefined,
  async fn(): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: `std-daq-compile-${Deno.pid}-` });
    try {
      for (const name of ["std_udp_recv", "daq"] as const) {
        const args = compileArguments(name, folder)
          .map((arg) => arg === `dist/${name}` ? `${folder}/${name}` : arg);
        const compiled = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
        ok(compiled.success, new TextDecoder().decode(compiled.stderr));
      }
      const machine = Deno.build.arch === "x86_64" ? "x64" : "arm64";
      await Deno.copyFile(
        `${ROOT}node_modules/zeromq/build/linux/${machine}/node/glibc-127-Release/addon.node`,
        `${folder}/libzmq.node`,
      );
      for (const name of ["std_udp_recv", "daq"]) {
        const { code, stdout, stderr } = await new Deno.Command(`${folder}/${name}`, {
          args: ["--help"],
          cwd: folder,
        }).output();
        equal(code, 0, new TextDecoder().decode(stderr));
        match(new TextDecoder().decode(stdout), new RegExp(`Usage: ${name}`));
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
