import assert from "node:assert/strict";
import { TestFolder } from "../hdf5/_testing.ts";
import { effectiveUserId, Errno, File, type FileUser, OsError } from "../os/mod.ts";
import { DataRoots, type NewFileOptions, OutsideRootsError } from "./data_roots.ts";

/** A file in its place; it has to be closed. */
function createIn(roots: DataRoots, path: string, how: NewFileOptions = {}): File {
  using made = roots.create(path, how);
  made.place();
  return made.file;
}

Deno.test("DataRoots.create() creates below the root that holds the path", () => {
  using first = new TestFolder();
  using second = new TestFolder();
  Deno.mkdirSync(`${second.path}/a`);
  const path = `${second.path}/a/b.h5`;
  using file = createIn(new DataRoots([first.path, second.path + "/"]), path);
  assert.equal(file.size(), 0);
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o644);
});

Deno.test("DataRoots.create() takes the innermost root, which may be a link in another one", () => {
  using outer = new TestFolder();
  using elsewhere = new TestFolder();
  const link = `${outer.path}/link`;
  Deno.symlinkSync(elsewhere.path, link);
  using file = createIn(new DataRoots([outer.path, link]), `${link}/x.h5`);
  assert.equal(file.size(), 0);
  assert.ok(Deno.statSync(elsewhere.file("x.h5")).isFile);
});

Deno.test("DataRoots.create() names the allowed folders when the path is in none", () => {
  using folder = new TestFolder();
  for (const path of ["/etc/x.h5", "x.h5", folder.path, `${folder.path}x/y.h5`]) {
    assert.throws(() => new DataRoots([folder.path]).create(path), (error) => {
      assert.ok(error instanceof OutsideRootsError);
      assert.ok(error.message.includes(path) && error.message.includes(folder.path));
      return true;
    });
  }
});

Deno.test("DataRoots.create() is not led out of the root by .. or by a link", () => {
  using root = new TestFolder();
  using outside = new TestFolder();
  Deno.symlinkSync(outside.path, `${root.path}/link`);
  Deno.symlinkSync(`${outside.path}/target.h5`, root.file("file.h5"));
  for (
    const [name, code] of [
      [`../${outside.path.split("/").at(-1)}/x.h5`, "EXDEV"],
      ["link/x.h5", "ELOOP"],
      ["nowhere/x.h5", "ENOENT"],
    ]
  ) {
    assert.throws(() => new DataRoots([root.path]).create(`${root.path}/${name}`), { code });
  }
  assert.throws(() => new DataRoots([root.path]).create(root.file("file.h5")));
  assert.deepEqual([...Deno.readDirSync(outside.path)], []);
});

Deno.test("DataRoots.create() refuses a file that exists", () => {
  using folder = new TestFolder();
  Deno.writeTextFileSync(folder.file(), "precious");
  assert.throws(() => new DataRoots([folder.path]).create(folder.file()), { code: "EEXIST" });
  assert.equal(Deno.readTextFileSync(folder.file()), "precious");
});

Deno.test("DataRoots.create() overwrites by a new file, when asked to, and no folder or link", () => {
  using folder = new TestFolder();
  const roots = new DataRoots([folder.path]);
  Deno.writeTextFileSync(folder.file(), "old");
  using old = File.open(folder.file());
  {
    using made = roots.create(folder.file(), { overwrite: true });
    using file = made.file;
    file.writeAt(new TextEncoder().encode("new"), 0);
    assert.equal(Deno.readTextFileSync(folder.file()), "old", "it is not there yet");
    made.place();
  }
  const bytes = new Uint8Array(3);
  old.readAt(bytes, 0);
  assert.equal(new TextDecoder().decode(bytes), "old", "who reads the old one keeps it");
  assert.equal(Deno.readTextFileSync(folder.file()), "new");
  Deno.symlinkSync(folder.file(), folder.file("link.h5"));
  Deno.mkdirSync(folder.file("folder.h5"));
  const create = (name: string): File => createIn(roots, folder.file(name), { overwrite: true });
  assert.throws(() => create("link.h5"), { code: "ELOOP" });
  assert.throws(() => create("folder.h5"), { code: "EISDIR" });
  assert.equal(Deno.readTextFileSync(folder.file()), "new");
});

Deno.test("DataRoots.create() makes folders when asked to, never outside of the root", () => {
  using root = new TestFolder();
  using outside = new TestFolder();
  const roots = new DataRoots([root.path], { mode: 0o640 });
  Deno.mkdirSync(`${root.path}/a`, { mode: 0o700 });
  Deno.symlinkSync(outside.path, `${root.path}/link`);
  const create = (path: string): void => {
    createIn(roots, `${root.path}/${path}`, { createFolders: true }).close();
  };
  create("a/b/c/d.h5");
  create("e.h5");
  const mode = (path: string): number => Deno.statSync(`${root.path}/${path}`).mode! & 0o777;
  assert.deepEqual(["a", "a/b", "a/b/c", "a/b/c/d.h5"].map(mode), [0o700, 0o750, 0o750, 0o640]);
  assert.throws(() => create("link/x/y.h5"), { code: "ELOOP" });
  assert.throws(() => create(`../${outside.path.split("/").at(-1)}/x/y.h5`), { code: "EXDEV" });
  assert.throws(() => create("e.h5/x/y.h5"), { code: "ENOTDIR" });
  assert.deepEqual([...Deno.readDirSync(outside.path)], []);
});

Deno.test("DataRoots.create() syncs the names of the file and of each folder it made, in their folders", () => {
  using root = new TestFolder();
  Deno.mkdirSync(`${root.path}/a`);
  for (const roots of [root.path, `${root.path}/`].map((path) => new DataRoots([path]))) {
    const synced: string[] = [];
    const { sync } = File.prototype;
    File.prototype.sync = function (): void {
      sync.call(this);
      synced.push(this.path.slice(root.path.length).replace(/^\/+/, ""));
    };
    try {
      createIn(roots, `${root.path}/a/b/c/d.h5`, { createFolders: true, sync: true }).close();
      createIn(roots, `${root.path}/e.h5`, { createFolders: true }).close();
    } finally {
      File.prototype.sync = sync;
    }
    assert.deepEqual(synced, ["a", "a/b", "a/b/c"]);
    Deno.removeSync(`${root.path}/a/b`, { recursive: true });
    Deno.removeSync(`${root.path}/e.h5`);
  }
});

Deno.test("a name that cannot be forced to the disk is taken back", () => {
  using folder = new TestFolder();
  const { sync } = File.prototype;
  File.prototype.sync = function (): void {
    throw new OsError("fdatasync", Errno.EIO, this.path);
  };
  try {
    using made = new DataRoots([folder.path]).create(folder.file(), { sync: true });
    assert.throws(() => made.place(), { code: "EIO" });
    assert.throws(() => made.file.fd, { code: "EBADF" });
  } finally {
    File.prototype.sync = sync;
  }
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});

Deno.test("DataRoots.write() makes a file of bytes, or none", () => {
  using folder = new TestFolder();
  const roots = new DataRoots([folder.path]);
  const { writeAt } = File.prototype;
  File.prototype.writeAt = function (bytes, position): void {
    writeAt.call(this, bytes.subarray(0, 2), position);
    throw new OsError("pwrite", Errno.ENOSPC, this.path);
  };
  try {
    assert.throws(() => roots.write(folder.file(), Uint8Array.of(1, 2, 3)), { code: "ENOSPC" });
  } finally {
    File.prototype.writeAt = writeAt;
  }
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
  roots.write(folder.file(), Uint8Array.of(1, 2, 3));
  assert.deepEqual([...Deno.readFileSync(folder.file())], [1, 2, 3]);
  assert.throws(() => roots.write(folder.file(), Uint8Array.of(4)), { code: "EEXIST" });
  assert.deepEqual([...Deno.readFileSync(folder.file())], [1, 2, 3]);
});

/** Becoming somebody else takes root; who is not, learns that it is not permitted. */
const NOBODY: FileUser = { uid: 65_534, gid: 65_534, groups: [65_534, 65_533] };

Deno.test("DataRoots makes files and folders as another user, or says that it may not", () => {
  using folder = new TestFolder();
  const roots = new DataRoots([folder.path], { user: NOBODY, mode: 0o600 });
  const path = folder.file("a/b.h5");
  const create = (more = {}): File => createIn(roots, path, { createFolders: true, ...more });
  if (effectiveUserId() !== 0) {
    assert.throws(() => create(), { code: "EPERM" });
    return;
  }
  Deno.chmodSync(folder.path, 0o755);
  assert.throws(() => create(), { code: "EACCES" }, "a folder of root is not theirs to write");
  Deno.chownSync(folder.path, null, 65_533);
  Deno.chmodSync(folder.path, 0o775);
  using file = create(); // by their second group
  for (const each of [path, folder.file("a")]) {
    const { uid, gid } = Deno.statSync(each);
    assert.deepEqual([uid, gid], [65_534, 65_534], each);
  }
  Deno.chownSync(folder.file("a"), 0, 0);
  assert.throws(() => roots.remove(path), { code: "EACCES" });
  assert.throws(() => create({ overwrite: true }), { code: "EACCES" });
  // And this thread is who it was.
  Deno.chownSync(folder.path, 0, 0);
  createIn(new DataRoots([folder.path]), folder.file("root.h5")).close();
  assert.equal(Deno.statSync(folder.file("root.h5")).uid, 0);
  file.close();
});

Deno.test("DataRoots.ofUser() makes files as one of the users that are allowed, and as nobody else", () => {
  using folder = new TestFolder();
  const users = new Map([[65_534, NOBODY], [effectiveUserId(), undefined]]);
  const roots = new DataRoots([folder.path], { users });
  assert.throws(() => roots.ofUser(7), /user 7 is not among .*\(65534, \d+\).*allowed_user_ids/);
  assert.throws(() => new DataRoots([folder.path]).ofUser(7), /\(none\)/);
  roots.ofUser(effectiveUserId()).write(folder.file("own"), Uint8Array.of(1));
  const theirs = roots.ofUser(65_534);
  if (effectiveUserId() !== 0) {
    assert.throws(() => theirs.write(folder.file("theirs"), Uint8Array.of(1)), { code: "EPERM" });
    return;
  }
  Deno.chmodSync(folder.path, 0o777);
  theirs.write(folder.file("theirs"), Uint8Array.of(1));
  roots.write(folder.file("root"), Uint8Array.of(1));
  const owners = ["own", "theirs", "root"].map((name) => Deno.statSync(folder.file(name)).uid);
  assert.deepEqual(owners, [0, 65_534, 0]);
});

Deno.test("DataRoots gives files to a group that their user is in, and leaves none behind else", () => {
  if (effectiveUserId() !== 0) return; // no second group to give them to
  using folder = new TestFolder();
  Deno.chownSync(folder.path, 65_534, null);
  const inGroup = new DataRoots([folder.path], { user: NOBODY, gid: 65_533 });
  createIn(inGroup, folder.file("a/x.h5"), { createFolders: true }).close();
  assert.equal(Deno.statSync(folder.file("a/x.h5")).gid, 65_533);
  assert.equal(Deno.statSync(folder.file("a")).gid, 65_533);
  const stranger = new DataRoots([folder.path], { user: NOBODY, gid: 3 });
  assert.throws(() => stranger.create(folder.file("y.h5")), { code: "EPERM" });
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["a"]);
});
