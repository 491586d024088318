import assert from "node:assert/strict";
import { OsError } from "./errno.ts";
import { writeWholeFile } from "./whole_file.ts";

/** A folder that goes with the test. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "whole_file_test_" });

  /** Names of what is in it. */
  get names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const BYTES = Uint8Array.of(1, 2, 3);

function refusal(errno: number): (error: unknown) => boolean {
  return (error) => error instanceof OsError && error.errno === errno;
}

Deno.test("writeWholeFile() writes all bytes with the mode it is told, and nothing else", () => {
  using folder = new Folder();
  const path = `${folder.path}/new`;
  writeWholeFile(path, BYTES, { mode: 0o640 });
  assert.deepEqual(Deno.readFileSync(path), BYTES);
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o640);
  assert.deepEqual(folder.names, ["new"]);
});

Deno.test("writeWholeFile() replaces a file only when told to", () => {
  using folder = new Folder();
  const path = `${folder.path}/there`;
  writeWholeFile(path, BYTES);
  assert.throws(() => writeWholeFile(path, Uint8Array.of(9)), refusal(17));
  assert.deepEqual(Deno.readFileSync(path), BYTES);
  using open = Deno.openSync(path);
  writeWholeFile(path, Uint8Array.of(9), { overwrite: true });
  assert.deepEqual(Deno.readFileSync(path), Uint8Array.of(9));
  const buffer = new Uint8Array(8);
  assert.equal(open.readSync(buffer), 3, "who has it open keeps the former one");
  assert.deepEqual(folder.names, ["there"]);
});

Deno.test("writeWholeFile() does not follow a symbolic link", () => {
  using folder = new Folder();
  const [target, link] = [`${folder.path}/target`, `${folder.path}/link`];
  Deno.writeFileSync(target, BYTES);
  Deno.symlinkSync(target, link);
  assert.throws(() => writeWholeFile(link, Uint8Array.of(9)), refusal(17));
  writeWholeFile(link, Uint8Array.of(9), { overwrite: true });
  assert.deepEqual(Deno.readFileSync(target), BYTES);
  assert.ok(Deno.lstatSync(link).isFile);
});

Deno.test("writeWholeFile() leaves nothing where it fails", () => {
  using folder = new Folder();
  assert.throws(() => writeWholeFile(`${folder.path}/no/file`, BYTES), refusal(2));
  Deno.mkdirSync(`${folder.path}/folder`);
  assert.throws(
    () => writeWholeFile(`${folder.path}/folder`, BYTES, { overwrite: true }),
    refusal(21),
  );
  assert.deepEqual(folder.names, ["folder"]);
});
