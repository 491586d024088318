/** Where files may be written, and what happens when the disk is full. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { DaqApiError } from "../lib/http/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  imageIds,
  jungfrauConfig,
  Pipeline,
  readWithH5py,
  ROOT,
  sha256,
  simulate,
  SmallDisk,
  startSimulator,
  TestDetector,
  WriterDriver,
} from "./harness/mod.ts";

const ROOM_BYTES = 20 * 2 ** 20;

/** Where no small disk can be mounted: files cannot grow beyond a size, EFBIG in place of ENOSPC. */
const SMALL_FILES = ["prlimit", `--fsize=${ROOM_BYTES}`, "env", "--ignore-signal=XFSZ"];

Deno.test("an existing file, and a path that is not allowed, are refused with a clear error", async (t) => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1));
  const { dataRoot } = pipeline;
  const outside = `${dataRoot}-outside`;
  Deno.mkdirSync(outside);
  Deno.writeTextFileSync(`${dataRoot}/there.h5`, "precious");
  Deno.mkdirSync(`${dataRoot}/sub`);
  Deno.symlinkSync(outside, `${dataRoot}/link`);
  Deno.symlinkSync(`${outside}/new.h5`, `${dataRoot}/dangling.h5`);

  const refusals: [what: string, path: string, status: number, says: RegExp][] = [
    ["an existing file", `${dataRoot}/there.h5`, 409, /there\.h5 exists already.*another name/],
    [
      "a path outside the roots",
      `${outside}/run.h5`,
      403,
      /outside the allowed folders: .*--data-root/,
    ],
    ["a system path", "/etc/run.h5", 403, /outside the allowed folders/],
    ["a relative path", "run.h5", 400, /"run\.h5" is not an absolute path/],
    ["a path with ..", `${dataRoot}/sub/../run.h5`, 400, /contains \.\./],
    ["a path with .. that leads out", `${dataRoot}/../run.h5`, 400, /contains \.\./],
    ["a path through a link", `${dataRoot}/link/run.h5`, 403, /link is a symbolic link/],
    ["a path that is a link", `${dataRoot}/dangling.h5`, 403, /dangling\.h5 is a symbolic link/],
    ["a path in no folder", `${dataRoot}/nowhere/run.h5`, 400, /nowhere does not exist.*Create/],
    ["another suffix", `${dataRoot}/run.txt`, 400, /does not end with \.h5 or \.hdf5/],
  ];
  for (const [what, path, status, says] of refusals) {
    await t.step(`the agent refuses ${what}`, async () => {
      await assert.rejects(
        pipeline.client.writeAsync({ n_images: 1, output_file: path }),
        (error) => {
          assert.ok(error instanceof DaqApiError);
          assert.equal(error.status, status);
          assert.match(error.message, says);
          return true;
        },
      );
    });
  }

  assert.equal(Deno.readTextFileSync(`${dataRoot}/there.h5`), "precious");
  assert.deepEqual([...Deno.readDirSync(outside)], []);
  assert.equal((await pipeline.client.status()).state, "READY");
  Deno.removeSync(outside);
});

Deno.test("the file writer itself refuses such paths, whoever asks", async (t) => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1), {
    services: ["std_udp_recv", "std_assembler", "std_h5_writer"],
  });
  const { dataRoot } = pipeline;
  const outside = `${dataRoot}-outside`;
  Deno.mkdirSync(outside);
  Deno.writeTextFileSync(`${dataRoot}/there.h5`, "precious");
  Deno.symlinkSync(outside, `${dataRoot}/link`);
  Deno.symlinkSync(`${outside}/new.h5`, `${dataRoot}/dangling.h5`);
  using driver = new WriterDriver(pipeline.name);

  const refusals: [what: string, path: string, says: RegExp][] = [
    ["an existing file", `${dataRoot}/there.h5`, /EEXIST/],
    ["a path outside the roots", `${outside}/run.h5`, /outside the folders.*--data-root/],
    ["a system path", "/etc/run.h5", /outside the folders/],
    ["a relative path", "run.h5", /outside the folders/],
    ["a path with .. that leads out", `${dataRoot}/../run.h5`, /EXDEV/],
    ["a path through a link that leads out", `${dataRoot}/link/run.h5`, /EXDEV|ELOOP/],
    ["a path that is a link", `${dataRoot}/dangling.h5`, /EEXIST|ELOOP|EXDEV/],
  ];
  for (const [what, path, says] of refusals) {
    await t.step(`the writer refuses ${what}`, async () => {
      const { code, reason } = await driver.create(path);
      assert.equal(code, "failure");
      assert.match(reason, says);
    });
  }
  assert.equal(Deno.readTextFileSync(`${dataRoot}/there.h5`), "precious");
  assert.deepEqual([...Deno.readDirSync(outside)], []);
  Deno.removeSync(outside);

  await t.step("and still takes one that is allowed", async () => {
    assert.equal((await driver.create(`${dataRoot}/run.h5`)).code, "success");
    assert.equal((await driver.ask({ action: "close_file" })).code, "success");
    assert.deepEqual(imageIds(await readWithH5py(`${dataRoot}/run.h5`)), []);
  });
});

Deno.test("a full disk fails the acquisition with that reason, and the file stays readable up to the last published image", async () => {
  using disk = SmallDisk.mount(ROOM_BYTES);
  await using pipeline = await Pipeline.start(
    jungfrauConfig(1),
    disk === undefined ? { wrap: { std_h5_writer: SMALL_FILES } } : { dataRoot: disk.path },
  );
  const { path } = await pipeline.write("full.h5", 200);
  await using simulator = startSimulator(pipeline, "--pattern", "ramp", "--rate", "20");

  const { state, acquisition } = await pipeline.ended();
  assert.equal(acquisition.state, "FAILED");
  assert.match(acquisition.message, disk === undefined ? /EFBIG/ : /ENOSPC/);
  assert.equal(state, "READY");
  const { n_write_completed, n_lost, n_failed, n_missing, n_not_taken } = acquisition.stats;
  assert.ok(n_failed > 0);
  assert.equal(n_write_completed + n_lost + n_failed + n_missing + n_not_taken, 200);
  await simulator.stop();

  const file = await readWithH5py(path);
  assertSimulated(pipeline, file, acquisition.stats.n_write_completed);
  assert.ok(
    file.data.sha256.length >= 10,
    `${file.data.sha256.length} images of 1 MiB are on 20 MiB`,
  );

  // Room again: the next acquisition works.
  Deno.removeSync(path);
  const next = await pipeline.write("next.h5", 3);
  await simulate(pipeline, "--pattern", "ramp", "--images", "3", "--start-id", "100000");
  await pipeline.finished();
  assert.deepEqual(imageIds(await readWithH5py(next.path)), [100_000, 100_001, 100_002]);
});

Deno.test("files are overwritten, and folders made, only for requests that say so", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1, { file_mode: "0640" }));
  using detector = new TestDetector(pipeline.config);
  Deno.writeTextFileSync(pipeline.path("there.h5"), "old");
  const { path } = await pipeline.write("there.h5", 2, { overwrite: true });
  detector.send(0, 1);
  await pipeline.finished();
  assert.deepEqual(imageIds(await readWithH5py(path)), [0, 1]);
  const deep = await pipeline.write("2026/e1/run.h5", 1, { create_directories: true });
  detector.send(2, 2);
  await pipeline.finished();
  assert.deepEqual(imageIds(await readWithH5py(deep.path)), [2]);
  assert.equal(Deno.statSync(deep.path).mode! & 0o777, 0o640);
  assert.equal(Deno.statSync(pipeline.path("2026/e1")).mode! & 0o777, 0o750);
});

Deno.test("files are written as writer_user_id, or not at all", async () => {
  const uid = 65_534;
  const config = { writer_user_id: uid, fsync: "at_end" };
  const mayNot = Deno.uid() === 0 ? ["setpriv", "--bounding-set=-setuid,-setgid"] : [];
  await using weak = await Pipeline.start(jungfrauConfig(1, config), {
    services: [],
    wrap: { std_h5_writer: mayNot },
  });
  const process = weak.spawn("std_h5_writer");
  assert.equal((await process.end()).code, 4);
  assert.match(process.tail(), /set(groups|fsuid) to user 65534.*EPERM/);
  if (Deno.uid() !== 0) return; // who is not root cannot become somebody else

  await using pipeline = await Pipeline.start(jungfrauConfig(1, config), {
    wrap: { std_h5_writer: withCapabilitiesOf("std_h5_writer@.service.d/users.conf") },
  });
  using detector = new TestDetector(pipeline.config);
  await assert.rejects(pipeline.write("run.h5", 2), /run\.h5.*EACCES/); // the folder is root's
  Deno.chownSync(pipeline.dataRoot, uid, null);
  Deno.chmodSync(dirname(pipeline.dataRoot), 0o755);
  const { path } = await pipeline.write("made/run.h5", 2, { create_directories: true });
  detector.send(0, 1);
  await pipeline.finished();
  assert.deepEqual(imageIds(await readWithH5py(path)), [0, 1]);
  assert.equal(Deno.statSync(path).uid, uid);
  assert.equal(Deno.statSync(pipeline.path("made")).uid, uid);
  await pipeline.stop("std_h5_writer");
  assert.equal(pipeline.stats("std_h5_writer")?.["files_user_id"], uid);
});

Deno.test("a request's user_id: files are that user's if the config allows it, or are not made", async () => {
  const [own, other] = [65_534, 1];
  const config = { writer_user_id: own, allowed_user_ids: [other] };
  const mayNot = Deno.uid() === 0 ? ["setpriv", "--bounding-set=-setuid,-setgid"] : [];
  await using weak = await Pipeline.start(jungfrauConfig(1, { allowed_user_ids: [other] }), {
    services: [],
    wrap: { std_h5_writer: mayNot },
  });
  const process = weak.spawn("std_h5_writer");
  assert.equal((await process.end()).code, 4);
  assert.match(process.tail(), /set(groups|fsuid) to user 1.*EPERM/);
  if (Deno.uid() !== 0) return; // who is not root cannot become somebody else

  await using pipeline = await Pipeline.start(jungfrauConfig(1, config));
  using detector = new TestDetector(pipeline.config);
  Deno.chmodSync(pipeline.dataRoot, 0o777);
  Deno.chmodSync(dirname(pipeline.dataRoot), 0o755);
  const owners = [[other, other], [own, own], [0, own], [undefined, own]] as const;
  for (const [i, [asked, uid]] of owners.entries()) {
    const more = asked === undefined ? {} : { user_id: asked };
    const { path } = await pipeline.write(`run${i}.h5`, 1, more);
    detector.send(i, i);
    await pipeline.finished();
    assert.deepEqual(imageIds(await readWithH5py(path)), [i]);
    assert.equal(Deno.statSync(path).uid, uid, `user_id ${asked}`);
  }
  const refused = pipeline.write("no.h5", 1, { user_id: 2 });
  await assert.rejects(refused, /user_id: files are written as user 65534.*not as 2\./);

  // The writer itself refuses, whoever asks.
  await pipeline.stop("writer_agent");
  using driver = new WriterDriver(pipeline.name);
  const { code, reason } = await driver.create(pipeline.path("no.h5"), { userId: 2 });
  assert.equal(code, "failure");
  assert.match(reason, /user 2 is not among those that files may be made as \(1\)/);
  await assert.rejects(Deno.stat(pipeline.path("no.h5")), Deno.errors.NotFound);
});

/** Starts a program as systemd does with a drop-in of ours: with its capabilities, although by root, and no other. */
function withCapabilitiesOf(dropIn: string): string[] {
  const text = Deno.readTextFileSync(`${ROOT}/deploy/systemd/${dropIn}`);
  const set = (field: string): string => {
    const names = new RegExp(`^${field}=(.*)$`, "m").exec(text)?.[1]?.split(" ") ?? [];
    return ["-all", ...names.map((name) => name.toLowerCase().replace(/^cap_/, "+"))].join(",");
  };
  const ambient = set("AmbientCapabilities");
  return [
    "setpriv",
    "--no-new-privs",
    "--securebits=+noroot",
    `--bounding-set=${set("CapabilityBoundingSet")}`,
    `--inh-caps=${ambient}`,
    `--ambient-caps=${ambient}`,
  ];
}

/** Every image in the file is the one that was simulated. */
function assertSimulated(
  { config }: Pipeline,
  file: Awaited<ReturnType<typeof readWithH5py>>,
  images: number,
): void {
  assert.equal(file.data.sha256.length, images);
  const last = imageIds(file).at(-1) ?? 0;
  file.data.sha256.forEach((hash, i) => {
    const id = imageIds(file)[i]!;
    const { buffer } = simulateImage(config, { pattern: "ramp", images: last + 8 }, BigInt(id));
    assert.equal(hash, sha256(new Uint8Array(buffer)), `image ${id}`);
  });
}
