import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { addressOf } from "./address.ts";
import { OsError } from "./errno.ts";
import { File, unlink } from "./file.ts";
import { mapFixed, PAGE_BYTES, unmapFixed } from "./memory.ts";

function shmPath(): string {
  return `/dev/shm/std-daq-test-${Deno.pid}-${crypto.randomUUID()}`;
}

Deno.test("mapFixed() makes two WebAssembly memories and the file share the same bytes", () => {
  const path = shmPath();
  const file = File.open(path, { write: true, create: "exclusive" });
  try {
    const bytes = 16 * PAGE_BYTES;
    file.truncate(bytes);
    const views = [0, 1].map((i) => {
      const memory = new WebAssembly.Memory({ initial: 4, maximum: 4 });
      const view = new Uint8Array(memory.buffer);
      mapFixed({
        address: addressOf(view) + 65536n,
        bytes,
        fd: file.fd,
        fileOffset: 0,
        writable: i === 0,
        populate: true,
      });
      return view.subarray(65536, 65536 + bytes);
    });
    views[0]!.set([7, 8, 9], 5000);
    deepStrictEqual([...views[1]!.subarray(5000, 5003)], [7, 8, 9]);
    const read = new Uint8Array(3);
    strictEqual(file.readAt(read, 5000), 3);
    deepStrictEqual([...read], [7, 8, 9]);
    file.writeAt(new Uint8Array([42]), 9000);
    strictEqual(views[0]![9000], 42);
  } finally {
    file.close();
    unlink(path);
  }
});

Deno.test("unmapFixed() lets go of the file: it goes, and the memory is there as before", () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4 });
  const view = new Uint8Array(memory.buffer);
  const place = { address: addressOf(view) + 65536n, bytes: 2 * PAGE_BYTES };
  const mappings = (): number =>
    Deno.readTextFileSync("/proc/self/maps").split("unmapFixed-test").length - 1;
  {
    using file = File.anonymous("unmapFixed-test", place.bytes);
    mapFixed({ ...place, fd: file.fd, fileOffset: 0, writable: true, populate: true });
    view.fill(7, 65536, 65536 + place.bytes);
  }
  strictEqual(mappings(), 1);
  unmapFixed(place);
  strictEqual(mappings(), 0);
  ok(view.every((byte) => byte === 0));
  view.fill(8, 65536, 65536 + place.bytes);
  strictEqual(view[65536 + PAGE_BYTES], 8);
});

Deno.test("mapFixed() refuses places that are not page aligned", () => {
  const rest = { bytes: PAGE_BYTES, fd: 0, writable: false, populate: false };
  throws(() => mapFixed({ ...rest, address: 4097n, fileOffset: 0 }), RangeError);
  throws(() => mapFixed({ ...rest, address: 8192n, fileOffset: 100 }), RangeError);
});

Deno.test("mapFixed() of a bad descriptor throws an OsError and leaves the memory", () => {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const view = new Uint8Array(memory.buffer);
  throws(
    () =>
      mapFixed({
        address: addressOf(view) + 65536n,
        bytes: PAGE_BYTES,
        fd: -1,
        fileOffset: 0,
        writable: true,
        populate: false,
      }),
    (error: unknown) => {
      ok(error instanceof OsError);
      strictEqual(error.code, "EBADF");
      return true;
    },
  );
  view[65536] = 1;
  strictEqual(view[65536], 1);
});
