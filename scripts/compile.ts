// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * Standalone binaries: `dist/<service>`, one per service, with everything they need at run time
 * inside but libzmq's addon, which FFI can only load from a file: it is copied beside them. `daq run`
 * of the compiled `daq` starts the binaries beside it.
 *
 * `DENORT_BIN` names a runtime to use instead of the one `deno compile` would download.
 *
 *   deno task compile [--install-dir /opt/std-daq/bin] [--host redis:6379] [service…]
 *
 * Permissions are built in. The one for libzmq's addon names its path: say with `--install-dir` where
 * the binaries will be, if not in `dist`. Redis and RabbitMQ on other machines have to be named, too,
 * each by a `--host`.
 */
import { parseArgs } from "node:util";
import settings from "../deno.json" with { type: "json" };

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** All services that can be compiled: every folder of `services/`. */
export const BINARY_NAMES: readonly string[] = [...Deno.readDirSync(`${ROOT}services`)]
  .filter((entry) => entry.isDirectory).map((entry) => entry.name).toSorted();

/** Worker of a store in a file, which any service may be told to use. */
const STORE_WORKER = "lib/store/_sqlite_worker.ts";

/** Workers of a service: loaded by URL, so that the module graph does not show them. */
function workersOf(name: string): string[] {
  const own = [...Deno.readDirSync(`${ROOT}services/${name}`)]
    .filter((entry) => entry.name.endsWith("worker.ts"))
    .map((entry) => `services/${name}/${entry.name}`).toSorted();
  return [STORE_WORKER, ...own];
}

/** A permission set of deno.json. */
interface PermissionSet {
  read?: boolean | string[];
  write?: boolean | string[];
  env?: boolean | string[];
  run?: boolean | string[];
  sys?: boolean | string[];
  net?: boolean | string[];
  ffi?: boolean | string[];
}

/**
 * The arguments of `deno` that compile a service, run from the repository.
 *
 * @param name The service.
 * @param installDir Folder, absolute, where the binary and `libzmq.node` will be.
 * @param hosts Hosts and ports, such as `redis:6379`, that it may connect to besides.
 * @returns The arguments, from `compile` on.
 */
export function compileArguments(
  name: string,
  installDir: string,
  hosts: readonly string[] = [],
): string[] {
  return [
    "compile",
    "--no-prompt",
    // From the packages that this service imports, not from all of node_modules with what builds and tests.
    "--node-modules-dir=none",
    "--exclude-unused-npm",
    ...binaryPermissions(permissionSet(name), installDir, hosts),
    ...workersOf(name).flatMap((path) => ["--include", path]),
    "--output",
    `dist/${name}`,
    `services/${name}/main.ts`,
  ];
}

/** @throws {RangeError} If deno.json has none of this name. */
function permissionSet(name: string): PermissionSet {
  const sets: Record<string, PermissionSet> = settings.permissions;
  const set = sets[name];
  if (set === undefined) throw new RangeError(`deno.json has no permission set ${name}`);
  return set;
}

/**
 * The permission set as flags for a binary. Its code is inside, and nobody narrows what it may read
 * to the path of its config, which may be anywhere: it may read, as far as its user may. libzmq is
 * beside it instead of in `node_modules`.
 */
function binaryPermissions(
  set: PermissionSet,
  installDir: string,
  hosts: readonly string[],
): string[] {
  const ffi = Array.isArray(set.ffi) ? set.ffi.filter((path) => path.startsWith("/")) : [];
  const usesZmq = Array.isArray(set.ffi) && set.ffi.some((path) => path.endsWith("/addon.node"));
  const net = Array.isArray(set.net) || set.net === undefined
    ? [...set.net ?? [], ...hosts]
    : set.net;
  const lists: [string, boolean | readonly string[] | undefined][] = [
    ["read", true],
    ["write", set.write],
    ["env", set.env],
    ["net", net],
    // Its status in Redis, which it may be told of at any start, says on which machine it is.
    ["sys", net === true || Array.isArray(net) && net.length > 0 ? ["hostname"] : []],
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
    options: { "install-dir": { type: "string" }, host: { type: "string", multiple: true } },
    allowPositionals: true,
  });
  const wrong = positionals.find((name) => !BINARY_NAMES.includes(name));
  if (wrong !== undefined) {
    console.error(`There is no service ${wrong}; there are ${BINARY_NAMES.join(", ")}.`);
    return 2;
  }
  const installDir = values["install-dir"] ?? `${ROOT}dist`;
  if (!installDir.startsWith("/")) {
    console.error(`--install-dir ${installDir} is relative: give the absolute path.`);
    return 2;
  }
  const noHost = values.host?.find((host) => !/^[\w.-]+:\d{1,5}$/.test(host));
  if (noHost !== undefined) {
    console.error(
      `--host ${noHost} is none: give a name or IPv4 address with its port, e.g. redis:6379.`,
    );
    return 2;
  }
  await Deno.mkdir(`${ROOT}dist`, { recursive: true });
  const chosen = BINARY_NAMES.filter((name) =>
    positionals.length === 0 || positionals.includes(name)
  );
  for (const name of chosen) {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: compileArguments(name, installDir, values.host),
      cwd: ROOT,
    }).spawn().status;
    if (code !== 0) return code;
  }
  const machine = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  const addon = `zeromq/build/linux/${machine}/node/glibc-127-Release/addon.node`;
  await Deno.copyFile(`${ROOT}node_modules/${addon}`, `${ROOT}dist/libzmq.node`);
  console.log(`dist/: ${chosen.join(", ")} and libzmq.node, to be run from ${installDir}`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
