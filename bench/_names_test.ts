import assert from "node:assert/strict";

Deno.test("removeAll() removes what an interrupted bench leaves, with the bench's own permissions", async () => {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "-P=bench", "bench/testdata/interrupted.ts"],
    cwd: new URL("../", import.meta.url).pathname,
  }).output();
  const said = new TextDecoder().decode(stdout);
  assert.notEqual(said, "", new TextDecoder().decode(stderr));
  assert.deepEqual(JSON.parse(said), { before: 2, after: "" });
});
