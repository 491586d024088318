import { deepStrictEqual, notStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { File } from "./file.ts";
import { LockFile } from "./lock_file.ts";

function inFolder(body: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "std-daq-lock-" });
  try {
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("LockFile is held once, and leaves no file behind", () =>
  inFolder((folder) => {
    const path = `${folder}/a.lock`;
    {
      using held = LockFile.tryTake(path);
      ok(held);
      strictEqual(LockFile.tryTake(path), undefined);
      strictEqual((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    }
    deepStrictEqual([...Deno.readDirSync(folder)], []);
    using again = LockFile.tryTake(path);
    ok(again);
  }));

Deno.test("LockFile takes what a killed process has left, and nothing that is removed under it", () =>
  inFolder((folder) => {
    const path = `${folder}/a.lock`;
    Deno.writeTextFileSync(path, "");
    {
      using held = LockFile.tryTake(path);
      ok(held);
      // Another process has opened the file, and has not locked it, when its holder removes it.
      using late = File.open(path, { write: true });
      held[Symbol.dispose]();
      strictEqual(late.tryLock(), true);
      strictEqual(late.linkCount(), 0);
      using next = LockFile.tryTake(path);
      notStrictEqual(next, undefined, "that lock is nobody's");
      held[Symbol.dispose]();
      strictEqual(LockFile.tryTake(path), undefined, "it is not given back twice");
    }
  }));

Deno.test("LockFile follows no link, and needs its folder", () =>
  inFolder((folder) => {
    Deno.symlinkSync(`${folder}/elsewhere`, `${folder}/link.lock`);
    throws(() => LockFile.tryTake(`${folder}/link.lock`), /ELOOP/);
    throws(() => LockFile.tryTake(`${folder}/none/a.lock`), /ENOENT/);
    deepStrictEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["link.lock"]);
  }));
