import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
import { readImageFile } from "../lib/hdf5/mod.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** What the demonstration must not leave behind, all named `demo-<detector>-<pid>`. */
function leftovers(detectors: readonly string[]): string[] {
  const named = (text: string): boolean => detectors.some((name) => text.includes(name));
  const files = ["/dev/shm", "/tmp"].flatMap((folder) =>
    [...Deno.readDirSync(folder)].map((entry) => `${folder}/${entry.name}`).filter(named)
  );
  return [...files, ...processes().filter(named)];
}

/** The command lines of all processes. */
function processes(): string[] {
  return [...Deno.readDirSync("/proc")].filter((entry) => /^\d+$/.test(entry.name)).map((entry) => {
    try {
      return Deno.readTextFileSync(`/proc/${entry.name}/cmdline`).replaceAll("\0", " ");
    } catch {
      return ""; // it has just ended
    }
  });
}

Deno.test("deno task demo runs, verifies both files and leaves nothing but them", async () => {
  const temporary = await Deno.makeTempDir({ prefix: `std-daq-demo_test-${Deno.pid}-` });
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "demo"],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", TMPDIR: temporary },
  }).spawn();
  const { code, stdout, stderr } = await child.output();
  const seconds = (performance.now() - started) / 1000;
  const said = new TextDecoder().decode(stdout);
  try {
    equal(code, 0, said + new TextDecoder().decode(stderr));
    match(said, /^Done in \d+\.\d s\. The files stay in \S+\.$/m);
    const detectors = [...said.matchAll(/^starting the pipeline of (\S+)/gm)].map((m) => m[1]!);
    equal(detectors.length, 2, said);

    match(said, /^Jungfrau, 2 modules, simulated$/m);
    const images = Number(/^ {2}images {4}(\d+) written; \1 good, 0 incomplete$/m.exec(said)?.[1]);
    ok(images >= 60, said); // fewer where socket buffers are small
    match(said, new RegExp(`^ {2}packets {3}${256 * images} sent, ${256 * images} accepted$`, "m"));
    match(said, /^Eiger 9M, 72 modules, recorded from the real detector$/m);
    match(said, /^ {2}images {4}1 written; 1 good, 0 incomplete$/m);
    match(said, /^ {2}verified {2}byte-identical to the image the original std-daq made/m);
    const losses = [...said.matchAll(/^ {2}losses {4}(.*)$/gm)].map((found) => found[1]);
    deepStrictEqual(losses, Array(2).fill("0 lost, 0 late, 0 duplicate, 0 malformed, 0 foreign"));
    equal([...said.matchAll(/^ {2}data .* GB\/s$/gm)].length, 2, said);
    equal([...said.matchAll(/^ {2}latency .*median \d+ µs, 99 % below \d+ µs$/gm)].length, 2, said);

    const files = [...said.matchAll(/^ {2}file +(\S+)$/gm)].map((found) => found[1]!);
    const shapes = files.map((path) => {
      using file = readImageFile(path);
      return file.shape;
    });
    deepStrictEqual(shapes, [[images, 1024, 1024], [1, 3264, 3106]]);
    ok(seconds < 90, `it took ${seconds.toFixed(1)} s`);
    deepStrictEqual(leftovers(detectors), []);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
});
