import assert from "node:assert/strict";
import { dirname } from "node:path";
import { TestFrameRing, uniqueRing } from "../../lib/calibration/_test_ring.ts";
import { jungfrauModule } from "../../lib/config/_test_configs.ts";
import { testContext } from "./_test_context.ts";
import { runDaq } from "./program.ts";

const PIXELS = 512 * 1024;
const CODES = [0, 1, 3];

/** A Jungfrau module whose ring gets dark frames of the gain that a file names, again and again. */
class Detector implements Disposable {
  readonly name = uniqueRing();
  readonly folder = Deno.makeTempDirSync({ prefix: "daq_pedestal_test_" });
  readonly config = `${this.folder}/jf.json`;
  /** Every gain that was forced, a line each. */
  readonly forced = `${this.folder}/forced`;
  /** Forces a gain: `<force> 1`. */
  readonly force = `${this.folder}/force.sh`;
  readonly #ring = new TestFrameRing(`${this.name}-0`, PIXELS);
  readonly #timer: ReturnType<typeof setInterval>;
  #level = 0;

  constructor() {
    Deno.writeTextFileSync(this.forced, "");
    Deno.writeTextFileSync(this.force, `echo "$1" >> ${this.forced}\n`);
    Deno.writeTextFileSync(
      this.config,
      JSON.stringify(jungfrauModule({ detector_name: this.name })),
    );
    this.#timer = setInterval(() => this.#publish(), 5);
  }

  get gains(): string {
    return Deno.readTextFileSync(this.forced).replaceAll("\n", "");
  }

  #publish(): void {
    const gain = Number(this.gains.at(-1) ?? 0);
    // Levels by turns, 9000 and 9002: a noise of about 1 ADU, a pedestal that suits every gain.
    const charge = 9000 + 2 * (this.#level++ % 2);
    this.#ring.publish(new Uint16Array(PIXELS).fill(CODES[gain]! << 14 | charge));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#ring[Symbol.dispose]();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("daq pedestal has a program force each gain, without a shell, and sums the run up", async () => {
  using detector = new Detector();
  const context = testContext();
  const output = `${detector.folder}/p.h5`;
  const code = await runDaq([
    ...["pedestal", detector.config, "--frames", "4", "--settle", "1", "--output", output],
    ...["--gain-command", `sh ${detector.force} {gain}`],
  ], context);
  assert.equal(code, 0, context.stderr);
  assert.equal(detector.gains, "012");
  assert.match(context.stdout, /p\.h5: pedestals of 1 module, 4 frames of each gain$/m);
  assert.match(context.stdout, /^noise \(median RMS, ADU\): G0 1\.00, G1 1\.00, G2 1\.00$/m);
  assert.match(
    context.stdout,
    /^masked: 0 of 524288 pixels \(0 dead, 0 noisy, 0 of wrong gain\)$/m,
  );
  assert.match(
    context.stdout,
    /^left out: 0 incomplete, 0 overwritten, \d+ other gain, 3 settling/m,
  );
  assert.equal(Deno.statSync(output).mode! & 0o777, 0o644);

  const again = testContext();
  assert.equal(await runDaq(["pedestal", detector.config, "--output", output], again), 2);
  assert.match(again.stderr, /p\.h5 is there already: choose another --output, or add --overwrite/);
});

Deno.test("daq pedestal forces no gain if its file could not be written", async () => {
  using detector = new Detector();
  const context = testContext();
  const code = await runDaq([
    ...["pedestal", detector.config, "--output", `${detector.folder}/none/p.h5`],
    ...["--gain-command", `sh ${detector.force} {gain}`],
  ], context);
  assert.equal(code, 4);
  assert.match(context.stderr, /open .*\/none: ENOENT/);
  assert.equal(detector.gains, "");
});

Deno.test("daq pedestal tells the operator which gain to force, and goes on when its frames come", async () => {
  using detector = new Detector();
  const context = testContext({ interactive: true });
  const told = context.err;
  context.err = (text): void => {
    told(text);
    const [, gain] = /Force G(\d)/.exec(text) ?? [];
    if (gain !== undefined) Deno.writeTextFileSync(detector.forced, gain);
  };
  const output = `${detector.folder}/p.h5`;
  const code = await runDaq([
    ...["pedestal", detector.config, "--frames", "3", "--settle", "0", "--output", output],
    ...["--json", "--pedestal-range", "1:9100:9200", "--noise-limit", "3"],
  ], context);
  assert.equal(code, 0, context.stderr);
  assert.match(context.stderr, /Force G0.*Force G1.*Force G2/s);
  assert.match(context.stderr, /G2 \[[#-]+\] +\d+ % \d\/3 frames of every module/);
  const report = JSON.parse(context.stdout);
  assert.equal(report.file, output);
  assert.equal(report.frames_per_gain, 3);
  assert.equal(report.dead_pixels, PIXELS, "by the limits that were given");
});

Deno.test("daq pedestal ends with what the program said that could not force a gain", async () => {
  using detector = new Detector();
  Deno.writeTextFileSync(detector.force, "echo no detector >&2; exit 3\n");
  const context = testContext();
  const output = `${detector.folder}/p.h5`;
  const args = ["pedestal", detector.config, "--output", output];
  const command = `sh ${detector.force} {gain}`;
  assert.equal(await runDaq([...args, "--gain-command", command], context), 1);
  assert.match(
    context.stderr,
    /force\.sh 0 ended with exit status 3: no detector\. G0 is not forced/,
  );
  Deno.writeTextFileSync(detector.force, "echo no answer >&2; sleep 600\n");
  const hanging = testContext();
  const limit = ["--gain-timeout", "1"];
  assert.equal(await runDaq([...args, "--gain-command", command, ...limit], hanging), 1);
  assert.match(
    hanging.stderr,
    /force\.sh 0 was ended after 1 s, see --gain-timeout: .*\. G0 is not forced/,
  );
  const missing = testContext();
  assert.equal(await runDaq([...args, "--gain-command", "/no/such {gain}"], missing), 4);
  assert.match(missing.stderr, /\/no\/such is not there: give --gain-command its path/);
  assert.throws(() => Deno.statSync(output), Deno.errors.NotFound);
});

Deno.test("daq pedestal writes nothing when it times out or is interrupted", async () => {
  using detector = new Detector();
  const output = `${detector.folder}/p.h5`;
  const args = ["pedestal", detector.config, "--output", output, "--frames", "2"];
  const late = testContext();
  Deno.writeTextFileSync(detector.forced, "1");
  assert.equal(await runDaq([...args, "--timeout", "1"], late), 1);
  assert.match(late.stderr, /No dark frame of G0 for 1 s\. module 0: 0 of 2 frames, left out: /);
  assert.match(late.stderr, /of another gain; the last one had G1/);
  const stopped = testContext();
  const err = stopped.err;
  stopped.err = (text): void => {
    err(text);
    if (text.includes("Force G0")) stopped.stop();
  };
  assert.equal(await runDaq(args, stopped), 1);
  assert.match(stopped.stderr, /interrupted/);
  assert.throws(() => Deno.statSync(output), Deno.errors.NotFound);
});

Deno.test("daq pedestal ends with what the simulator said when it cannot play", async () => {
  using detector = new Detector();
  const context = testContext();
  const args = ["pedestal", detector.config, "--simulate", "--output", `${detector.folder}/p.h5`];
  Deno.writeTextFileSync(detector.forced, "1");
  assert.equal(await runDaq([...args, "--simulator-options", "--seed x"], context), 1);
  assert.match(context.stderr, /udp_simulator ended with exit status 2: .*--seed/s);
});

for (
  const [options, complaint] of [
    [["--frames", "1"], /expected an integer, 2 to 262144/],
    [["--gain-command", "set_gain"], /"set_gain" has no \{gain\}/],
    [["--simulate", "--gain-command", "x {gain}"], /exclude each other/],
    [["--simulator-options", "--seed 1"], /go with --simulate/],
    [["--pedestal-range", "3:0:1"], /expected gain:low:high/],
    [["--pedestal-range", "0:5:1"], /pedestals of G0 from 5 to 1 ADU/],
    [["--apply"], /type jungfrau-raw, whose images are not corrected/],
    [["--noise-limit", "much"], /expected a number/],
    [["--noise-limit", "0.5"], /noise limit 0\.5 × the median; give more than 1/],
  ] as const
) {
  Deno.test(`daq pedestal has status 2 on ${options.join(" ")}`, async () => {
    using detector = new Detector();
    const context = testContext();
    const output = `${detector.folder}/p.h5`;
    assert.equal(
      await runDaq(["pedestal", detector.config, "--output", output, ...options], context),
      2,
    );
    assert.match(context.stderr, complaint);
  });
}

Deno.test("daq pedestal has status 2 on a detector that has no pedestals", async () => {
  using detector = new Detector();
  const config = `${dirname(detector.config)}/eg.json`;
  Deno.writeTextFileSync(
    config,
    JSON.stringify({
      detector_name: detector.name,
      detector_type: "eiger",
      n_modules: 1,
      bit_depth: 16,
      image_pixel_height: 256,
      image_pixel_width: 514,
      start_udp_port: 50_000,
      module_positions: { "0": [0, 0, 513, 255] },
    }),
  );
  const context = testContext();
  assert.equal(await runDaq(["pedestal", config], context), 2);
  assert.match(context.stderr, /is of type eiger, which has no pedestals to take/);
});
