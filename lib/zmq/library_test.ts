import { deepStrictEqual, match, ok, rejects } from "node:assert/strict";
import { architecture, LIBC_PATHS } from "../os/mod.ts";
import { runScript } from "../os/_run_script_test_util.ts";
import { libzmqCandidates, libzmqVersion } from "./library.ts";

const libc = LIBC_PATHS[architecture()].join(",");
const bundled = libzmqCandidates().find((path) => path.includes("/node_modules/"))!;
const script = `
  import { libzmqVersion, Socket } from ${
  JSON.stringify(new URL("./mod.ts", import.meta.url).href)
};
  using pull = new Socket("PULL");
  using push = new Socket("PUSH");
  push.connect(pull.bind("inproc://x"));
  await push.send("x");
  await pull.receive();
  console.log(libzmqVersion());`;

Deno.test("libzmqVersion() is a libzmq 4.3", () => {
  match(libzmqVersion(), /^4\.3\.\d+$/);
});

Deno.test("libzmqCandidates() are absolute", () => {
  deepStrictEqual(libzmqCandidates().filter((path) => !path.startsWith("/")), []);
});

Deno.test("libzmqCandidates() looks beside a compiled binary instead of in node_modules", () => {
  const paths = libzmqCandidates("/opt/std-daq/bin/std_udp_recv");
  ok(paths.includes("/opt/std-daq/bin/libzmq.node"), paths.join(" "));
  deepStrictEqual(paths.filter((path) => path.includes("node_modules")), []);
});

Deno.test("lib/zmq runs with an FFI permission for exactly libc and libzmq", async () => {
  const lines = await runScript(script, ["--no-prompt", `--allow-ffi=${libc},${bundled}`]);
  match(lines[0]!, /^4\.3/);
});

Deno.test("lib/zmq runs with a permission set whose FFI path is relative to deno.json", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-ffi-" });
  try {
    const root = new URL("../../", import.meta.url).pathname;
    const relative = folder.split("/").slice(1).map(() => "..").join("/") + bundled;
    ok(bundled.startsWith(root));
    await Deno.writeTextFile(
      `${folder}/deno.json`,
      JSON.stringify({ permissions: { scoped: { ffi: [...libc.split(","), `./${relative}`] } } }),
    );
    await Deno.writeTextFile(`${folder}/main.ts`, script);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-lock", "-P=scoped", `${folder}/main.ts`],
      cwd: folder,
    }).output();
    ok(success, new TextDecoder().decode(stderr));
    match(new TextDecoder().decode(stdout), /^4\.3/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("lib/zmq without permission says what to allow", async () => {
  await rejects(
    runScript(script, ["--no-prompt", `--allow-ffi=${libc}`]),
    (error: unknown) => {
      ok(error instanceof Error);
      ok(error.message.includes(`${bundled}: no --allow-ffi for it`), error.message);
      ok(error.message.includes("STD_DAQ_LIBZMQ"));
      return true;
    },
  );
});

Deno.test("STD_DAQ_LIBZMQ puts another library first, if the process may read it", async () => {
  const other = `/tmp/std-daq-no-such-${crypto.randomUUID()}.so`;
  const list = `
    import { libzmqCandidates } from ${JSON.stringify(new URL("./mod.ts", import.meta.url).href)};
    console.log(libzmqCandidates()[0]);`;
  const run = (allowEnv: string[]): Promise<string[]> =>
    runScript(`Deno.env.set("STD_DAQ_LIBZMQ", ${JSON.stringify(other)});` + dynamic(list), [
      "--no-prompt",
      `--allow-ffi=${libc},${bundled},${other}`,
      "--allow-read",
      ...allowEnv,
    ]);
  deepStrictEqual(await run(["--allow-env=STD_DAQ_LIBZMQ"]), [other]);
  await rejects(run([]), /NotCapable/);
});

/** The script with its import at run time, after what stands before it. */
function dynamic(source: string): string {
  return source.replace(/import (\{[^}]+\}) from ("[^"]+");/, "const $1 = await import($2);");
}
