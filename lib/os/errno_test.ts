import { ok, strictEqual, throws } from "node:assert/strict";
import { errnoName, OsError } from "./errno.ts";
import { File } from "./file.ts";

Deno.test("OsError names the call, the subject, the error and what to do", () => {
  const error = new OsError("fallocate", 28, "100 bytes of /dev/shm/x");
  strictEqual(error.call, "fallocate");
  strictEqual(error.code, "ENOSPC");
  strictEqual(
    error.message,
    "fallocate 100 bytes of /dev/shm/x: ENOSPC " +
      "(the disk or /dev/shm is full: free space or lower the slot counts)",
  );
});

Deno.test("OsError speaks of slots only where there can be some", () => {
  strictEqual(
    new OsError("pwrite", 28, "/data/run.h5").message,
    "pwrite /data/run.h5: ENOSPC (the disk is full: free space or choose another folder)",
  );
});

Deno.test("OsError keeps an error number without a name", () => {
  strictEqual(errnoName(4000), "errno 4000");
  strictEqual(new OsError("ioctl", 4000).message, "ioctl: errno 4000");
});

Deno.test("a failed system call throws an OsError with its own errno", () => {
  const path = `/tmp/std-daq-none-${crypto.randomUUID()}/x`;
  throws(() => File.open(path), (error: unknown) => {
    ok(error instanceof OsError);
    strictEqual(error.call, "open");
    strictEqual(error.code, "ENOENT");
    strictEqual(error.errno, 2);
    ok(error.message.includes(path));
    return true;
  });
});
