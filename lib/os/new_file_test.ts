import assert from "node:assert/strict";
import { libc } from "./_libc.ts";
import { NewFile } from "./new_file.ts";

/** A folder that goes with the test. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "new_file_test_" });

  /** Names of what is in it that does not hide. */
  get names(): string[] {
    return this.all.filter((name) => !name.startsWith("."));
  }

  /** Names of what is in it. */
  get all(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  /** What is in a file. */
  text(name: string): string {
    return Deno.readTextFileSync(`${this.path}/${name}`);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Writes a file and, perhaps, puts it in its place. */
function make(folder: Folder, text: string, replace?: boolean): void {
  using made = NewFile.beneath(folder.path, "a", 0o640);
  using file = made.file;
  file.writeAt(new TextEncoder().encode(text), 0);
  if (replace !== undefined) made.place(replace);
}

Deno.test("a NewFile has its name when it is put in its place, and its mode", () => {
  using folder = new Folder();
  using made = NewFile.beneath(folder.path, "a", 0o640);
  using file = made.file;
  assert.equal(file.path, `${folder.path}/a`);
  assert.deepEqual(folder.names, []);
  made.place();
  made.place(); // nothing more to do
  assert.deepEqual(folder.all, ["a"]);
  assert.equal(Deno.statSync(file.path).mode! & 0o777, 0o640);
  assert.equal(file.linkCount(), 1);
});

Deno.test("a NewFile that is not put in its place leaves nothing", () => {
  using folder = new Folder();
  make(folder, "x");
  assert.deepEqual(folder.all, []);
});

Deno.test("a NewFile replaces a file only when it is told to", () => {
  using folder = new Folder();
  make(folder, "old", false);
  assert.throws(() => make(folder, "new", false), { code: "EEXIST" });
  assert.equal(folder.text("a"), "old");
  make(folder, "new", true);
  assert.equal(folder.text("a"), "new");
  assert.deepEqual(folder.all, ["a"]);
});

Deno.test("a NewFile goes to the folder that it was made in, wherever that is by now", () => {
  using folder = new Folder();
  using elsewhere = new Folder();
  Deno.mkdirSync(`${folder.path}/sub`);
  using made = NewFile.beneath(folder.path, "sub/a", 0o600);
  using _file = made.file;
  Deno.renameSync(`${folder.path}/sub`, `${folder.path}/moved`);
  Deno.symlinkSync(elsewhere.path, `${folder.path}/sub`);
  made.place();
  assert.deepEqual(elsewhere.all, []);
  assert.deepEqual([...Deno.readDirSync(`${folder.path}/moved`)].map(({ name }) => name), ["a"]);
  assert.throws(() => NewFile.beneath(folder.path, "sub/a", 0o600), { code: "ELOOP" });
  assert.throws(() => NewFile.beneath(`${folder.path}/moved`, "../a", 0o600), { code: "EXDEV" });
});

Deno.test("a NewFile needs no right to list its folder", () => {
  using folder = new Folder();
  Deno.mkdirSync(`${folder.path}/sub`);
  Deno.chmodSync(`${folder.path}/sub`, 0o300);
  using made = NewFile.beneath(folder.path, "sub/a", 0o600);
  using file = made.file;
  made.place();
  assert.equal(file.linkCount(), 1);
});

Deno.test("a NewFile replaces nothing on file systems that cannot rename like that, either", () => {
  const { renameat2 } = libc;
  const unknownFlag = 1n << 30n; // answered as NFS answers every flag: EINVAL
  Object.defineProperty(libc, "renameat2", {
    configurable: true,
    value: (...args: Parameters<typeof renameat2>) =>
      renameat2(args[0], args[1], args[2], args[3], args[4], unknownFlag),
  });
  try {
    using folder = new Folder();
    make(folder, "old", false);
    assert.deepEqual(folder.all, ["a"]);
    assert.throws(() => make(folder, "new", false), { code: "EEXIST" });
    assert.equal(folder.text("a"), "old");
    assert.deepEqual(folder.all, ["a"]);
  } finally {
    Object.defineProperty(libc, "renameat2", { configurable: true, value: renameat2 });
  }
});
