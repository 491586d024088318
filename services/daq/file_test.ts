/** `daq file`, as a user runs it. */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { smallConfig, writeNexusFile } from "../../lib/nexus/_testing.ts";
import { readImageFile } from "../../lib/hdf5/mod.ts";
import { testContext } from "./_test_context.ts";
import { runDaq } from "./program.ts";

const config = smallConfig();

async function daq(
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const context = testContext();
  const code = await runDaq(["file", ...args], context);
  return { code, out: context.stdout, err: context.stderr };
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: `std_daq_file_${Deno.pid}_` });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const attributes = { config: JSON.stringify(config), end_time: 1_767_323_046, run_id: 7n };

Deno.test("daq file check says what a file is like; a bad one is an exit status", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/run.h5`;
    writeNexusFile(path, config, { options: { attributes } });
    const good = await daq("check", path, "--pixels", "all");
    strictEqual(good.code, 0, good.err);
    match(good.out, /^format {6}both, compression none$/m);
    match(good.out, /^pixels {6}1 to 3, mean 2\.00000/m);
    match(good.out, /\nok\n$/);
    const bad = `${folder}/bad.h5`;
    writeNexusFile(bad, smallConfig({ nexus: {} }), { options: { attributes: { start_time: 1 } } });
    const both = await daq("check", path, bad, "--json");
    strictEqual(both.code, 1);
    const reports = both.out.trim().split("\n").map((line): { valid: boolean } => JSON.parse(line));
    deepStrictEqual(reports.map(({ valid }) => valid), [true, false]);
    match(both.out, /was not closed/);
    match(both.out, /NXmx: \/entry\/source\/name is missing \(required\)/);
  });
});

Deno.test("daq file preview draws a GIF or a PNG, and overwrites nothing", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/run.h5`;
    writeNexusFile(path, config);
    for (const format of ["gif", "png"]) {
      const picture = `${folder}/run.${format}`;
      const { code, out, err } = await daq("preview", path, picture);
      strictEqual(code, 0, err);
      strictEqual(out, `${picture}: images 0, 1, 2, from 1 to 3\n`);
      ok(Deno.statSync(picture).size > 800);
      const again = await daq("preview", path, picture);
      strictEqual(again.code, 2);
      match(again.err, /run\.(gif|png) exists already: .* --overwrite/);
      strictEqual((await daq("preview", path, picture, "--overwrite", "-n", "1")).code, 0);
    }
    const { code, err } = await daq("preview", path, `${folder}/run.jpg`);
    strictEqual(code, 2);
    match(err, /a picture is a \.gif or a \.png file/);
  });
});

Deno.test("daq file convert shows a file in another format, with what is told of the experiment", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/run.h5`, other = `${folder}/run_std.h5`, nexus = `${folder}/run_nx.h5`;
    writeNexusFile(path, config, { format: "nexus", options: { attributes } });
    const { code, out, err } = await daq("convert", path, other, "--format", "std-daq");
    strictEqual(code, 0, err);
    match(out, /run_std\.h5: the images of .*run\.h5; keep both in one folder/);
    using reader = readImageFile(other);
    strictEqual(reader.group, "/GF");
    deepStrictEqual([...reader.imageIds()], [1n, 2n, 3n]);
    const sample = '{"sample": {"name": "insulin"}}';
    const back = await daq("convert", other, nexus, "--format", "nexus", "--nexus", sample);
    strictEqual(back.code, 0, back.err);
    const checked = await daq("check", nexus);
    strictEqual(checked.code, 0, checked.out);
    Deno.mkdirSync(`${folder}/away`);
    const copy = `${folder}/away/copy.h5`;
    const copied = await daq("convert", other, copy, "--format", "both", "--copy");
    strictEqual(copied.code, 0, copied.err);
    match(copied.out, /copy\.h5: a copy of the images of .*run_std\.h5/);
    using alone = readImageFile(copy);
    deepStrictEqual([alone.parts, [...alone.imageIds()]], [undefined, [1n, 2n, 3n]]);
    deepStrictEqual([...alone.image(2)], [...reader.image(2)]);
    const again = await daq("convert", other, copy, "--format", "both", "--copy");
    strictEqual(again.code, 2);
    match(again.err, /copy\.h5 exists already/);
    const far = await daq("convert", other, `${folder}/away/x.h5`, "--format", "both");
    match(far.err, /is not in the folder of .*--copy/);
    deepStrictEqual([...Deno.readDirSync(`${folder}/away`)].map(({ name }) => name), ["copy.h5"]);
    const wrong = await daq(
      "convert",
      other,
      `${folder}/x.h5`,
      "--format",
      "both",
      "--nexus",
      "{]",
    );
    strictEqual(wrong.code, 2);
  });
});
