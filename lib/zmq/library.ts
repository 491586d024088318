/**
 * Where libzmq is, and its functions.
 *
 * @module
 */
import { type Architecture, architecture, pinLibrary } from "../os/mod.ts";

/** Names the environment variable that puts another libzmq first. */
const OVERRIDE = "STD_DAQ_LIBZMQ";

const SYSTEM_PATHS: Readonly<Record<Architecture, readonly string[]>> = {
  x86_64: [
    "/lib/x86_64-linux-gnu/libzmq.so.5",
    "/usr/lib/x86_64-linux-gnu/libzmq.so.5",
    "/usr/lib64/libzmq.so.5",
    "/usr/lib/libzmq.so.5",
  ],
  aarch64: [
    "/lib/aarch64-linux-gnu/libzmq.so.5",
    "/usr/lib/aarch64-linux-gnu/libzmq.so.5",
    "/usr/lib64/libzmq.so.5",
    "/usr/lib/libzmq.so.5",
  ],
};

// Pointers are usize (BigInt), see lib/os: a permission for the library's path is then enough.
const SYMBOLS = {
  zmq_version: { parameters: ["buffer", "buffer", "buffer"], result: "void" },
  zmq_errno: { parameters: [], result: "i32" },
  zmq_ctx_new: { parameters: [], result: "usize" },
  zmq_ctx_term: { parameters: ["usize"], result: "i32" },
  zmq_ctx_term_async: {
    name: "zmq_ctx_term",
    parameters: ["usize"],
    result: "i32",
    nonblocking: true,
  },
  zmq_socket: { parameters: ["usize", "i32"], result: "usize" },
  zmq_close: { parameters: ["usize"], result: "i32" },
  zmq_bind: { parameters: ["usize", "buffer"], result: "i32" },
  zmq_unbind: { parameters: ["usize", "buffer"], result: "i32" },
  zmq_connect: { parameters: ["usize", "buffer"], result: "i32" },
  zmq_disconnect: { parameters: ["usize", "buffer"], result: "i32" },
  zmq_setsockopt: { parameters: ["usize", "i32", "buffer", "usize"], result: "i32" },
  zmq_getsockopt: { parameters: ["usize", "i32", "buffer", "buffer"], result: "i32" },
  zmq_send: { parameters: ["usize", "buffer", "usize", "i32"], result: "i32" },
  zmq_recv: { parameters: ["usize", "buffer", "usize", "i32"], result: "i32" },
  zmq_msg_init: { parameters: ["buffer"], result: "i32" },
  zmq_msg_recv: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  zmq_msg_data: { parameters: ["buffer"], result: "usize" },
  zmq_msg_more: { parameters: ["buffer"], result: "i32" },
  zmq_msg_close: { parameters: ["buffer"], result: "i32" },
  zmq_poll: { parameters: ["buffer", "i32", "i64"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libzmq = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/**
 * The paths where libzmq is looked for, in this order: `STD_DAQ_LIBZMQ` (if the process may read
 * it), the one inside the `zeromq` package of `node_modules` (for a compiled binary: `libzmq.node`
 * beside it), the system's. All are absolute; a service's FFI permission needs the one that is used.
 *
 * @param binary Path of the compiled binary that runs; undefined when Deno runs a script.
 */
export function libzmqCandidates(
  binary: string | undefined = Deno.build.standalone ? Deno.execPath() : undefined,
): string[] {
  const machine = architecture();
  const bundled = `../../node_modules/zeromq/build/linux/${
    machine === "x86_64" ? "x64" : "arm64"
  }/node/glibc-127-Release/addon.node`;
  const override = isGranted({ name: "env", variable: OVERRIDE })
    ? Deno.env.get(OVERRIDE)
    : undefined;
  return [
    ...(override ? [override] : []),
    binary === undefined
      ? decodeURIComponent(new URL(bundled, import.meta.url).pathname)
      : binary.replace(/[^/]*$/, "libzmq.node"),
    ...SYSTEM_PATHS[machine],
  ];
}

function openLibzmq(): Libzmq {
  const candidates = libzmqCandidates();
  // Asking for a permission that was not given would stop at a prompt on a terminal.
  const allowed = candidates.filter((path) => isGranted({ name: "ffi", path }));
  const refusals: string[] = [];
  for (const path of allowed) {
    try {
      const { symbols } = Deno.dlopen(path, SYMBOLS);
      // Its I/O threads go on after a Worker was terminated: the code must not go away with it.
      pinLibrary(path);
      return symbols;
    } catch (cause) {
      refusals.push(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  for (const path of candidates) {
    if (!allowed.includes(path)) refusals.push(`${path}: no --allow-ffi for it`);
  }
  throw new Error(
    `No usable libzmq. Tried:\n  ${refusals.join("\n  ")}\n` +
      "Run `deno install` to get the bundled one or install libzmq5, and allow its path with " +
      `--allow-ffi=<path>; another path can be given in ${OVERRIDE}.`,
  );
}

function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/** libzmq's functions, opened at first import. For this folder only. */
export const zmq: Libzmq = openLibzmq();

/** The version of libzmq in use, e.g. `4.3.5`. */
export function libzmqVersion(): string {
  const parts = [new Int32Array(1), new Int32Array(1), new Int32Array(1)] as const;
  zmq.zmq_version(parts[0], parts[1], parts[2]);
  return parts.map((part) => part[0]).join(".");
}
