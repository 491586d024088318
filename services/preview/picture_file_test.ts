import assert from "node:assert/strict";
import { effectiveUserId, File, type FileOwner } from "../../lib/os/mod.ts";
import { writePicture } from "./picture_file.ts";

const NOBODY = 65_534;
/** A group that nobody is in. */
const GROUP = 54_321;
const PICTURE = new Uint8Array([71, 73, 70]);

/** A folder of another user, which goes with the test. */
class TheirFolder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: `picture_file_test_${Deno.pid}_` });

  constructor() {
    Deno.chownSync(this.path, NOBODY, GROUP);
  }

  /** User, group and mode of a file in it. */
  owner(name: string): FileOwner {
    using file = File.open(`${this.path}/${name}`);
    return file.owner();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

Deno.test("writePicture() of our own file has its mode, and no right to run it", () => {
  const folder = Deno.makeTempDirSync({ prefix: `picture_file_test_${Deno.pid}_` });
  try {
    const { uid, gid } = Deno.statSync(folder);
    const owner = { uid: uid!, gid: gid!, mode: 0o104_750 };
    const path = `${folder}/a.gif`;
    writePicture(path, PICTURE, { roots: [folder], owner, onWarning: assert.fail });
    assert.equal(Deno.statSync(path).mode! & 0o7777, 0o640);
    assert.deepEqual(Deno.readFileSync(path), PICTURE);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test({
  name: "writePicture() by root: the picture is the file's owner's, where that one may write",
  ignore: effectiveUserId() !== 0,
  fn(): void {
    using folder = new TheirFolder();
    const owner = { uid: NOBODY, gid: GROUP, mode: 0o640 };
    const write = (name: string): void => {
      const path = `${folder.path}/${name}`;
      writePicture(path, PICTURE, { roots: [folder.path], owner, onWarning: assert.fail });
    };
    write("a.gif");
    assert.deepEqual(folder.owner("a.gif"), owner);
    Deno.chownSync(folder.path, 0, 0);
    assert.throws(() => write("b.gif"), { code: "EACCES" });
  },
});

Deno.test({
  name: "writePicture() that may not give the picture away says so, and shows it to nobody else",
  ignore: effectiveUserId() !== 0,
  fn(): void {
    using folder = new TheirFolder();
    const script = `
      import { writePicture } from ${
      JSON.stringify(new URL("picture_file.ts", import.meta.url).href)
    };
      writePicture(${JSON.stringify(`${folder.path}/a.gif`)}, new Uint8Array(3), {
        roots: [${JSON.stringify(folder.path)}],
        owner: { uid: ${NOBODY}, gid: ${GROUP}, mode: 0o640 },
        onWarning: (message) => console.log(message),
      });`;
    const args = ["--bounding-set=-setuid,-chown", Deno.execPath(), "eval", script];
    const { stdout, stderr } = new Deno.Command("setpriv", { args }).outputSync();
    const said = new TextDecoder().decode(stdout);
    assert.match(
      said,
      /^pictures of user 65534's files belong to user 0 and are not of group 54321: add user 0 to it, or give/,
      new TextDecoder().decode(stderr),
    );
    assert.deepEqual(folder.owner("a.gif"), { uid: 0, gid: 0, mode: 0o600 });
  },
});
