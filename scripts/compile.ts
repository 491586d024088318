// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * Standalone binaries: `dist/<service>`, one per service, with everything they need at run time
 * inside but libzmq's addon, which FFI can only load from a file: it is copied beside them. `daq run`
 * of the compiled `daq` starts the binaries beside it.
 *
 * `DENORT_BIN` names a runtime to use instead of the one `deno compile` would download.
 *
 *   deno task compile [--install-dir /opt/std-daq/bin] [service…]
 *
 * Permissions are built in. The one for libzmq's addon names its path: say with `--install-dir` where
 * the binaries will be, if not in `dist`.
 */
import { parseArgs } from "node:util";
import settings from "../deno.json" with { type: "json" };

/** What goes into a binary besides the modules that its main module imports. */
interface Binary {
  /** Workers: loaded by URL, so that the module graph does not show them. */
  include: readonly string[];
}

const BINARIES = {
  std_udp_recv: { include: ["services/std_udp_recv/worker.ts"] },
  std_assembler: {
    include: ["services/std_assembler/worker.ts", "services/std_assembler/converter_worker.ts"],
  },
  std_data_compress: {
    include: [
      "services/std_data_compress/worker.ts",
      "services/std_data_compress/compress_worker.ts",
    ],
  },
  std_data_decompress: {
    include: [
      "services/std_data_decompress/worker.ts",
      "services/std_data_decompress/decompress_worker.ts",
    ],
  },
  std_h5_writer: {
    include: ["services/std_h5_writer/worker.ts", "services/std_h5_writer/compress_worker.ts"],
  },
  writer_agent: { include: [] },
  config_deployer: { include: [] },
  file_validator: { include: [] },
  preview: { include: [] },
  udp_simulator: { include: [] },
  daq: { include: [] },
} as const satisfies Record<string, Binary>;

/** A service that can be compiled. */
export type BinaryName = keyof typeof BINARIES;

/** All of them. */
export const BINARY_NAMES: readonly BinaryName[] = [
  "std_udp_recv",
  "std_assembler",
  "std_data_compress",
  "std_data_decompress",
  "std_h5_writer",
  "writer_agent",
  "config_deployer",
  "file_validator",
  "preview",
  "udp_simulator",
  "daq",
];

/** A permission set of deno.json. */
interface PermissionSet {
  read?: boolean | string[];
  write?: boolean | string[];
  env?: boolean | string[];
  run?: boolean | string[];
  net?: boolean | string[];
  ffi?: boolean | string[];
}

/**
 * The arguments of `deno` that compile a service, run from the repository.
 *
 * @param name The service.
 * @param installDir Folder, absolute, where the binary and `libzmq.node` will be.
 * @returns The arguments, from `compile` on.
 */
export function compileArguments(name: BinaryName, installDir: string): string[] {
  return [
    "compile",
    "--no-prompt",
    // From the packages that this service imports, not from all of node_modules with what builds and tests.
    "--node-modules-dir=none",
    "--exclude-unused-npm",
    ...binaryPermissions(settings.permissions[name], installDir),
    ...["wasm/kernels.wasm", ...BINARIES[name].include].flatMap((path) => ["--include", path]),
    "--output",
    `dist/${name}`,
    `services/${name}/main.ts`,
  ];
}

/**
 * The permission set as flags for a binary. Its code is inside, and nobody narrows what it may read
 * to the path of its config, which may be anywhere: it may read, as far as its user may. libzmq is
 * beside it instead of in `node_modules`.
 */
function binaryPermissions(set: PermissionSet, installDir: string): string[] {
  const ffi = Array.isArray(set.ffi) ? set.ffi.filter((path) => path.startsWith("/")) : [];
  const usesZmq = Array.isArray(set.ffi) && set.ffi.some((path) => path.endsWith("/addon.node"));
  const lists: [string, boolean | readonly string[] | undefined][] = [
    ["read", true],
    ["write", set.write],
    ["env", set.env],
    ["net", set.net],
    ["run", set.run],
    ["ffi", [...ffi, ...(usesZmq ? [`${installDir}/libzmq.node`] : [])]],
  ];
  return lists.flatMap(([kind, list]) =>
    list === true
      ? [`--allow-${kind}`]
      : Array.isArray(list) && list.length > 0
      ? [`--allow-${kind}=${list.join(",")}`]
      : []
  );
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { "install-dir": { type: "string" } },
    allowPositionals: true,
  });
  const wrong = positionals.find((name) => !BINARY_NAMES.some((known) => known === name));
  if (wrong !== undefined) {
    console.error(`There is no service ${wrong}; there are ${BINARY_NAMES.join(", ")}.`);
    return 2;
  }
  const root = new URL("../", import.meta.url).pathname;
  const installDir = values["install-dir"] ?? `${root}dist`;
  if (!installDir.startsWith("/")) {
    console.error(`--install-dir ${installDir} is relative: give the absolute path.`);
    return 2;
  }
  await Deno.mkdir(`${root}dist`, { recursive: true });
  const chosen = BINARY_NAMES.filter((name) =>
    positionals.length === 0 || positionals.includes(name)
  );
  for (const name of chosen) {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: compileArguments(name, installDir),
      cwd: root,
    }).spawn().status;
    if (code !== 0) return code;
  }
  const machine = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  const addon = `zeromq/build/linux/${machine}/node/glibc-127-Release/addon.node`;
  await Deno.copyFile(`${root}node_modules/${addon}`, `${root}dist/libzmq.node`);
  console.log(`dist/: ${chosen.join(", ")} and libzmq.node, to be run from ${installDir}`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
