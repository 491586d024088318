// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * Standalone binaries: `dist/<service>`, one per service, with everything they need at run time
 * inside but libzmq's addon, which FFI can only load from a file: it is copied beside them.
 *
 * `DENORT_BIN` names a runtime to use instead of the one `deno compile` would download.
 *
 *   deno task compile [service…]
 */

/** What goes into a binary besides the modules that its main module imports. */
interface Binary {
  /** Workers: loaded by URL, so that the module graph does not show them. */
  include: string[];
}

const BINARIES: Readonly<Record<string, Binary>> = {
  std_udp_recv: { include: ["services/std_udp_recv/worker.ts"] },
  std_assembler: {
    include: ["services/std_assembler/worker.ts", "services/std_assembler/converter_worker.ts"],
  },
  std_h5_writer: { include: ["services/std_h5_writer/worker.ts"] },
  writer_agent: { include: [] },
  udp_simulator: { include: [] },
  daq: { include: [] },
};

const chosen = Deno.args.length > 0 ? Deno.args : Object.keys(BINARIES);
for (const name of chosen) {
  const binary = BINARIES[name];
  if (binary === undefined) {
    console.error(`There is no service ${name}; there are ${Object.keys(BINARIES).join(", ")}.`);
    Deno.exit(2);
  }
  const include = ["wasm/kernels.wasm", ...binary.include].flatMap((path) => ["--include", path]);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--no-prompt",
      // The permission set of the same name is built in.
      `-P=${name}`,
      ...include,
      "--output",
      `dist/${name}`,
      `services/${name}/main.ts`,
    ],
  }).spawn().status;
  if (code !== 0) Deno.exit(code);
}
const machine = Deno.build.arch === "x86_64" ? "x64" : "arm64";
const addon = `zeromq/build/linux/${machine}/node/glibc-127-Release/addon.node`;
await Deno.copyFile(`node_modules/${addon}`, "dist/libzmq.node");
console.log(`dist/: ${chosen.join(", ")} and libzmq.node (set STD_DAQ_LIBZMQ to its path)`);
