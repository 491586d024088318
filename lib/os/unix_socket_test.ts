import { ok, strictEqual, throws } from "node:assert/strict";
import { OsError } from "./errno.ts";
import { unlink } from "./file.ts";
import { closeDescriptor, listenUnix, removeUnservedSocket } from "./unix_socket.ts";

function socketPath(): string {
  return `/tmp/std-daq-test-${Deno.pid}-${crypto.randomUUID()}`;
}

function failsWith(code: string, action: () => unknown): void {
  throws(action, (error: unknown) => {
    ok(error instanceof OsError, `not an OsError: ${error}`);
    strictEqual(error.code, code);
    return true;
  });
}

Deno.test("listenUnix() makes a socket file of exactly the wanted mode", () => {
  for (const mode of [0o600, 0o660, 0o666]) {
    const path = socketPath();
    const fd = listenUnix(path, { mode });
    try {
      const stat = Deno.lstatSync(path);
      strictEqual(stat.isSocket, true);
      strictEqual(stat.mode! & 0o7777, mode);
    } finally {
      closeDescriptor(fd);
      unlink(path);
    }
  }
});

Deno.test({
  name: "listenUnix() gives the socket file to a group (only root can give to any)",
  ignore: Deno.uid() !== 0,
  fn(): void {
    const path = socketPath();
    const fd = listenUnix(path, { mode: 0o660, gid: 12345 });
    try {
      strictEqual(Deno.lstatSync(path).gid, 12345);
    } finally {
      closeDescriptor(fd);
      unlink(path);
    }
  },
});

Deno.test("listenUnix() takes connections", async () => {
  const path = socketPath();
  const fd = listenUnix(path);
  try {
    using _connection = await Deno.connect({ transport: "unix", path });
  } finally {
    closeDescriptor(fd);
    unlink(path);
  }
});

Deno.test("listenUnix() replaces a leftover but not a served socket", () => {
  const path = socketPath();
  const first = listenUnix(path);
  try {
    failsWith("EADDRINUSE", () => listenUnix(path));
    ok(Deno.lstatSync(path).isSocket);
    closeDescriptor(first);
    closeDescriptor(listenUnix(path));
  } finally {
    unlink(path);
  }
});

Deno.test("removeUnservedSocket() removes a leftover, and nothing that is served or no socket", () => {
  const path = socketPath();
  strictEqual(removeUnservedSocket(path), true); // nothing there
  const fd = listenUnix(path);
  strictEqual(removeUnservedSocket(path), false);
  ok(Deno.lstatSync(path).isSocket);
  closeDescriptor(fd);
  strictEqual(removeUnservedSocket(path), true);
  throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
  Deno.writeTextFileSync(path, "precious");
  try {
    failsWith("EEXIST", () => removeUnservedSocket(path));
  } finally {
    unlink(path);
  }
});

Deno.test("listenUnix() leaves other files alone", () => {
  const path = socketPath();
  Deno.writeTextFileSync(path, "precious");
  try {
    failsWith("EEXIST", () => listenUnix(path));
    strictEqual(Deno.readTextFileSync(path), "precious");
    Deno.symlinkSync(path, `${path}.link`);
    failsWith("ELOOP", () => listenUnix(`${path}.link`));
  } finally {
    unlink(path);
    unlink(`${path}.link`);
  }
});

Deno.test("listenUnix() refuses a path that is too long, and a folder that is not there", () => {
  failsWith("ENAMETOOLONG", () => listenUnix(`/tmp/${"x".repeat(103)}`));
  failsWith("ENOENT", () => listenUnix(`${socketPath()}/none/socket`));
});
