import assert from "node:assert/strict";
import { architecture, LIBC_PATHS } from "../../lib/os/platform.ts";
import { UdpSocket } from "../../lib/os/mod.ts";
import { parseConfig } from "../../lib/config/mod.ts";
import { createSimulation, expectedOutcome, outcomeJson } from "../../lib/simulate/mod.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;

/** A simulator with the least permissions; its packets go to a socket of this process. */
class Simulator implements AsyncDisposable {
  readonly sink = new UdpSocket({ bind: { address: "127.0.0.1", port: 0 } });
  readonly json = {
    detector_name: "simulator-test",
    detector_type: "eiger",
    n_modules: 1,
    bit_depth: 8,
    image_pixel_height: 256,
    image_pixel_width: 514,
    start_udp_port: this.sink.port,
    module_positions: { "0": [0, 0, 513, 255] },
  };
  readonly #path = Deno.makeTempFileSync({ suffix: ".json" });

  start(args: string[]): Deno.ChildProcess {
    Deno.writeTextFileSync(this.#path, JSON.stringify(this.json));
    const permissions = [
      `--allow-read=${this.#path}`,
      `--allow-ffi=${LIBC_PATHS[architecture()].join(",")}`,
    ];
    return new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", ...permissions, MAIN, this.#path, ...args],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async run(args: string[]): Promise<{ code: number; lines: string[]; log: string }> {
    return await outputOf(this.start(args));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.sink.close();
    await Deno.remove(this.#path);
  }
}

async function outputOf(
  child: Deno.ChildProcess,
): Promise<{ code: number; lines: string[]; log: string }> {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return {
    code,
    lines: decoder.decode(stdout).trimEnd().split("\n"),
    log: decoder.decode(stderr),
  };
}

Deno.test("udp_simulator prints what was sent and what must arrive, needing only libc and its config", async () => {
  await using simulator = new Simulator();
  const { code, lines, log } = await simulator.run(
    "--images 40 --rate 0 --seed 3 --drop 0.1 --late 0.1 --stall-module 0:20:2 --json".split(" "),
  );
  assert.equal(code, 0, log);
  assert.equal(lines.length, 2);
  assert.deepEqual(JSON.parse(lines[0]!).modules, [0]);
  const report = JSON.parse(lines[1]!);
  const expected = expectedOutcome(createSimulation(parseConfig(simulator.json).config, {
    images: 40,
    seed: 3,
    faults: { drop: 0.1, late: 0.1 },
    stalls: [{ module: 0, from: 20, count: 2 }],
  }));
  assert.deepEqual(report.expected, JSON.parse(JSON.stringify(outcomeJson(expected))));
  assert.equal(report.sent, expected.sent);
  assert.equal(report.datagrams, expected.sent - expected.lost);
  assert.ok(report.packets_per_second > 0);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`udp_simulator stops at ${signal} at full speed and reports what it sent`, async () => {
    await using simulator = new Simulator();
    const child = simulator.start(["--rate", "0", "--json"]);
    const log = new Response(child.stderr).text();
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (text === "") child.kill(signal); // the ready line
      text += chunk;
    }
    const { code } = await child.status;
    assert.equal(code, 0, await log);
    const report = JSON.parse(text.trimEnd().split("\n").at(-1)!);
    assert.equal(report.event, "sent");
    assert.equal(report.expected.imagesGood, report.images);
  });
}

for (
  const [what, args, message] of [
    ["a wrong probability", ["--drop", "2"], /--drop.*number from 0 to 1/],
    ["faults that add up to more than 1", ["--drop", "0.9", "--late", "0.9"], /add up to 1\.8/],
    ["gains of an Eiger", ["--pattern", "gain"], /switches gains/],
    ["darkness of an Eiger", ["--pattern", "dark"], /switches gains/],
    ["a gain there is not", ["--pattern", "dark", "--gain", "0,3"], /gains 0, 1 or 2/],
    ["forced gains with light", ["--gain", "1"], /go with --pattern dark/],
    ["bad pixels with light", ["--dead-pixels", "1"], /go with --pattern dark/],
    ["segmentation with faults", ["--gso", "--drop", "0.1"], /whole frames only/],
    ["an unreadable stall", ["--stall-module", "x"], /module:first frame:frames/],
    ["a module that is not there", ["--modules", "0-1"], /numbers from 0 to 0/],
  ] as const
) {
  Deno.test(`udp_simulator refuses ${what} with status 2`, async () => {
    await using simulator = new Simulator();
    const { code, log } = await simulator.run([...args]);
    assert.equal(code, 2, log);
    assert.match(log, message);
  });
}
