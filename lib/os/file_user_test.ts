import assert from "node:assert/strict";
import { asFileUser, effectiveUserId, type FileUser, fileUserById } from "./mod.ts";

const isRoot = effectiveUserId() === 0;
const NOBODY: FileUser = { uid: 65_534, gid: 65_534, groups: [65_534] };

Deno.test("effectiveUserId() is the process's", () => {
  assert.equal(effectiveUserId(), Deno.uid());
});

Deno.test("fileUserById() knows users with their groups, and says when there is none", () => {
  const root = fileUserById(0);
  assert.deepEqual([root?.uid, root?.gid], [0, 0]);
  assert.ok(root?.groups.includes(0));
  assert.equal(fileUserById(4_000_000_001), undefined);
});

Deno.test("asFileUser() gives back what its action gives, and is over when that fails", () => {
  if (!isRoot) {
    assert.throws(() => asFileUser(NOBODY, () => assert.fail("it ran")), { code: "EPERM" });
    return;
  }
  const folder = Deno.makeTempDirSync({ prefix: `file_user_${Deno.pid}_` });
  try {
    Deno.chmodSync(folder, 0o777);
    const make = (name: string): number => {
      Deno.writeTextFileSync(`${folder}/${name}`, "");
      return Deno.statSync(`${folder}/${name}`).uid!;
    };
    assert.equal(asFileUser(NOBODY, () => make("theirs")), NOBODY.uid);
    assert.throws(() =>
      asFileUser(NOBODY, () => {
        throw new Error("it fails");
      }), /it fails/);
    assert.equal(make("ours"), 0);
    // What only root may read is not theirs to read.
    Deno.chmodSync(`${folder}/ours`, 0o600);
    const read = (): string => Deno.readTextFileSync(`${folder}/ours`);
    assert.throws(() => asFileUser(NOBODY, read), Deno.errors.PermissionDenied);
    assert.equal(read(), "");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("asFileUser() does not run its action where that is not permitted", async () => {
  if (!isRoot) return; // seen above
  const script = `
    import { asFileUser } from ${JSON.stringify(new URL("./mod.ts", import.meta.url).href)};
    try {
      asFileUser(${JSON.stringify(NOBODY)}, () => console.log("it ran"));
    } catch (error) {
      console.log(error.code, error.message);
    }`;
  for (const capability of ["setuid", "setgid"]) {
    const args = [`--bounding-set=-${capability}`, Deno.execPath(), "eval", script];
    const { stdout } = await new Deno.Command("setpriv", { args }).output();
    const said = new TextDecoder().decode(stdout);
    assert.match(said, /^EPERM .*to user 65534.*CAP_SETUID and CAP_SETGID/, capability);
  }
});
