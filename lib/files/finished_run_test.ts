import assert from "node:assert/strict";
import { TestFolder } from "../hdf5/_testing.ts";
import { fileBelow, findAcquisition, OutsideDataRootsError } from "./finished_run.ts";

/** `data` with a file, `data/within.h5` and `root` that lead to it, `data/out.h5` that leads out. */
function withFolders(): TestFolder {
  const folder = new TestFolder();
  Deno.mkdirSync(folder.file("data"));
  Deno.mkdirSync(folder.file("data-of-others"));
  for (const name of ["data/run.h5", "data-of-others/run.h5", "secret.h5"]) {
    Deno.writeTextFileSync(folder.file(name), "");
  }
  Deno.symlinkSync(folder.file("data"), folder.file("root"));
  Deno.symlinkSync(folder.file("data/run.h5"), folder.file("data/within.h5"));
  Deno.symlinkSync(folder.file("secret.h5"), folder.file("data/out.h5"));
  Deno.symlinkSync(folder.path, folder.file("data/up"));
  return folder;
}

Deno.test("fileBelow() finds a file below a root, through links within it and a root that is a link", async () => {
  using folder = withFolders();
  const file = Deno.realPathSync(folder.file("data/run.h5"));
  const cases = [["data", "data/run.h5"], ["data", "data/within.h5"], ["root", "root/run.h5"]];
  for (const [root, path] of cases) {
    assert.equal(await fileBelow(folder.file(path), [folder.file(root)]), file, path);
  }
  assert.equal(await fileBelow(folder.file("data/run.h5"), [`${folder.file("data")}/`]), file);
  const roots = [folder.file("data-of-others"), folder.file("data")];
  assert.equal(await fileBelow(folder.file("data/run.h5"), roots), file, "the second root");
});

Deno.test("fileBelow() refuses what is outside the roots, by name, .. or a symbolic link", async () => {
  using folder = withFolders();
  const outside = [
    "secret.h5",
    "data-of-others/run.h5",
    "data/../secret.h5",
    "data/../data/run.h5",
    "data/out.h5",
    "data/up/secret.h5",
    "data/up/data-of-others/run.h5",
  ];
  for (const path of outside) {
    await assert.rejects(fileBelow(folder.file(path), [folder.file("data")]), (error) => {
      assert.ok(error instanceof OutsideDataRootsError, path);
      assert.match(error.message, /is outside the folders that may be read .*--data-root/);
      return true;
    });
  }
  await assert.rejects(fileBelow("data/run.h5", [folder.file("data")]), OutsideDataRootsError);
  const missing = fileBelow(folder.file("data/none.h5"), [folder.file("data")]);
  await assert.rejects(missing, Deno.errors.NotFound);
});

Deno.test("findAcquisition() tells runs into the same file apart, and waits for the one that is meant", async () => {
  const acquisition = (id: string, run_id: number | bigint, output_file = "/a.h5") => ({
    id,
    time: 0,
    value: { info: { output_file, run_id } },
  });
  const former = [acquisition("2-0", 2, "/b.h5"), acquisition("1-0", 1)];
  const answers = [former, [acquisition("3-0", 2n ** 60n), ...former]];
  const store = {
    logs: () => Promise.resolve(answers.length > 1 ? answers.shift()! : answers[0]!),
  };
  const { signal } = new AbortController();
  const find = (result: unknown): Promise<string | undefined> =>
    findAcquisition(store, { outputFile: "/a.h5", result }, signal);
  assert.equal(await find({ run_id: 2n ** 60n }), "3-0");
  assert.equal(await find({ run_id: 1 }), "1-0");
  assert.equal(await find("written"), "3-0"); // the newest, of a writer that does not say
});
