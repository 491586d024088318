import assert from "node:assert/strict";
import { TestFolder } from "../hdf5/_testing.ts";
import { createBeneathRoots, OutsideRootsError } from "./data_roots.ts";

Deno.test("createBeneathRoots() creates below the root that holds the path", () => {
  using first = new TestFolder();
  using second = new TestFolder();
  Deno.mkdirSync(`${second.path}/a`);
  const path = `${second.path}/a/b.h5`;
  using file = createBeneathRoots(path, [first.path, second.path + "/"]);
  assert.equal(file.size(), 0);
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o644);
});

Deno.test("createBeneathRoots() names the allowed folders when the path is in none", () => {
  using folder = new TestFolder();
  for (const path of ["/etc/x.h5", "x.h5", folder.path, `${folder.path}x/y.h5`]) {
    assert.throws(() => createBeneathRoots(path, [folder.path]), (error) => {
      assert.ok(error instanceof OutsideRootsError);
      assert.ok(error.message.includes(path) && error.message.includes(folder.path));
      return true;
    });
  }
});

Deno.test("createBeneathRoots() is not led out of the root by .. or by a link", () => {
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
    assert.throws(() => createBeneathRoots(`${root.path}/${name}`, [root.path]), { code });
  }
  assert.throws(() => createBeneathRoots(root.file("file.h5"), [root.path]));
  assert.deepEqual([...Deno.readDirSync(outside.path)], []);
});

Deno.test("createBeneathRoots() refuses a file that exists", () => {
  using folder = new TestFolder();
  Deno.writeTextFileSync(folder.file(), "precious");
  assert.throws(() => createBeneathRoots(folder.file(), [folder.path]), { code: "EEXIST" });
  assert.equal(Deno.readTextFileSync(folder.file()), "precious");
});
