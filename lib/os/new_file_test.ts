import assert from "node:assert/strict";
import { libc } from "./_libc.ts";
import { File } from "./file.ts";
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

Deno.test("a NewFile sweeps what a killed process left, and nothing else", async () => {
  using folder = new Folder();
  const script = `
    import { NewFile } from ${JSON.stringify(new URL("./new_file.ts", import.meta.url).href)};
    NewFile.beneath(${JSON.stringify(folder.path)}, "a", 0o640);
    console.log("made");
    setInterval(() => {}, 1000);`;
  const args = ["eval", script];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const { value } = await child.stdout.getReader().read();
  assert.equal(new TextDecoder().decode(value), "made\n");
  const [theirs = ""] = folder.all;
  assert.match(theirs, /^\.std-daq\.[-0-9a-f]{36}\.[-0-9a-f]{36}\.part$/);

  using inWork = NewFile.beneath(folder.path, "b", 0o640);
  using _file = inWork.file;
  const ours = folder.all.filter((name) => name !== theirs);
  const uuid = crypto.randomUUID();
  const boot = theirs.slice(-41, -5);
  const others = [
    "data.part",
    `.${uuid}.part`,
    `.std-daq.${uuid}.part`, // where there are no locks
    `.std-daq.${uuid}.${uuid}.part`, // of another machine
    `.std-daq.${uuid}.${boot}.part.h5`,
  ];
  for (const name of others) Deno.writeTextFileSync(`${folder.path}/${name}`, "");
  const young = `.std-daq.${uuid}.${boot}.part`;
  Deno.writeTextFileSync(`${folder.path}/${young}`, "");
  Deno.mkdirSync(`${folder.path}/.std-daq.${crypto.randomUUID()}.${boot}.part`);
  const age = (name: string): void => Deno.utimeSync(`${folder.path}/${name}`, 1e9, 1e9);
  [theirs, ...ours, ...others].forEach(age);

  const all = folder.all;
  const sweep = (): string[] => {
    NewFile.beneath(folder.path, "c", 0o640, { sweep: true })[Symbol.dispose]();
    return all.filter((name) => !folder.all.includes(name));
  };
  assert.deepEqual(sweep(), [], "its process lives");
  child.kill("SIGKILL");
  await child.status;
  assert.deepEqual(sweep(), [theirs]);
  inWork.place();
  assert.ok(folder.all.includes("b"));
});

Deno.test("a NewFile can be read, and locked, as soon as it is in its place", () => {
  using folder = new Folder();
  using made = NewFile.beneath(folder.path, "a", 0o640);
  using _file = made.file;
  const name = `${folder.path}/${folder.all[0]}`;
  const isFree = (path: string): boolean => {
    using file = File.open(path, { write: true });
    return file.tryLock();
  };
  {
    // As HDF5's readers do.
    using reader = File.open(name);
    assert.ok(reader.tryLockShared());
  }
  assert.ok(!isFree(name));
  made.place();
  assert.ok(isFree(`${folder.path}/a`));
});
