import type { CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import assert from "node:assert/strict";
import { STATS, testAgent, writer } from "./_test_agent.ts";
import { testContext } from "./_test_context.ts";
import { daqProgram, runDaq } from "./program.ts";

Deno.test("daq status prints the writer, reports on the run, rates and account", async () => {
  const problems = [{ level: "error", message: "2 images of 3 that were asked for." }];
  const reports = [
    { report_type: "file_validator", report: { valid: false, problems } },
    { report_type: "file_validator", report: { valid: true, problems: [] } },
    { report_type: "preview", report: { rows: [0] } },
  ];
  await using agent = testAgent(() => writer({ reports }));
  const context = testContext();
  assert.equal(await runDaq(["status", "--api", agent.url], context), 0);
  assert.match(context.stdout, /^writer +READY$/m);
  assert.match(context.stdout, /^acquisition +FINISHED 3\/3 images: Completed\.$/m);
  assert.deepEqual(context.stdout.match(/(?<=^report +)\S.*/gm), [
    "file_validator: not ok: 2 images of 3 that were asked for.",
    "file_validator: ok",
    '{"report_type":"preview","report":{"rows":[0]}}',
  ]);
  assert.match(context.stdout, /^detector +1\.57 k images\/s, 1\.65 GB\/s$/m);
  assert.match(context.stdout, /^packets_lost +10$/m);
});

Deno.test("daq status --json prints one line with every member, integers exact", async () => {
  await using agent = testAgent(() => writer());
  const context = testContext({ env: { STD_DAQ_API_URL: agent.url } });
  assert.equal(await runDaq(["status", "--json"], context), 0);
  assert.equal(context.stdout.trim().includes("\n"), false);
  assert.match(context.stdout, /"run_id":1152921504606846977/);
  const { accounting, stats } = JSON.parse(context.stdout);
  assert.deepEqual({ accounting, stats }, STATS);
});

Deno.test("daq prefers --api to STD_DAQ_API_URL", async () => {
  await using agent = testAgent(() => writer());
  const context = testContext({ env: { STD_DAQ_API_URL: "http://127.0.0.1:1" } });
  assert.equal(await runDaq(["stop", "--api", agent.url], context), 0);
  assert.deepEqual(agent.requests, ["POST /writer/stop"]);
  assert.equal(context.stdout, "FINISHED 3/3 images: Completed.\n");
});

Deno.test("daq write sends the request, with the file's absolute path, and returns at once", async () => {
  await using agent = testAgent(() => writer({ state: "WAITING_IMAGES", done: 0, message: "" }));
  const context = testContext();
  const args = ["write", "x.h5", "-n", "3", "--run-id", "18446744073709551615", "--api", agent.url];
  assert.equal(await runDaq(args, context), 0);
  const file = `${Deno.cwd()}/x.h5`;
  assert.deepEqual(agent.requests, [
    `POST /writer/write_async {"n_images":3,"output_file":"${file}","run_id":18446744073709551615}`,
  ]);
  assert.equal(context.stdout, `${file}: WAITING_IMAGES 0/3 images\n`);
});

Deno.test("daq write sends a range of ids, a time-out, and how files are made", async () => {
  await using agent = testAgent(() => writer({ state: "WAITING_IMAGES", done: 0, message: "" }));
  const range = ["--start-id", "18446744073709551614", "--stop-id", "18446744073709551615"];
  const more = [
    ...["--timeout", "0.5", "--overwrite", "--mkdir", "--fsync", "at_end"],
    ...["--compression-threads", "2", "--user-id", "1000"],
  ];
  const args = ["write", "/x.h5", ...range, ...more, "--api", agent.url];
  assert.equal(await runDaq(args, testContext()), 0);
  assert.deepEqual(agent.requests, [
    'POST /writer/write_async {"output_file":"/x.h5","start_image_id":18446744073709551614,' +
    '"stop_image_id":18446744073709551615,"no_images_timeout":0.5,"compression_threads":2,' +
    '"fsync":"at_end","overwrite":true,"create_directories":true,"user_id":1000}',
  ]);
});

Deno.test("daq write --wait draws progress until the end", async () => {
  await using agent = testAgent((n) =>
    n < 3 ? writer({ state: "ACQUIRING_IMAGES", done: n, message: "" }) : writer()
  );
  const context = testContext({ interactive: true });
  assert.equal(
    await runDaq(["write", "/x.h5", "-n", "3", "--wait", "--api", agent.url], context),
    0,
  );
  assert.match(context.stderr, /\[#+-+\] +33 % ACQUIRING_IMAGES 1\/3 images/);
  assert.match(context.stderr, /\[#+\] +100 % FINISHED 3\/3 images: Completed\./);
  assert.equal(context.stdout, "/x.h5: FINISHED 3/3 images: Completed.\n");
});

Deno.test("daq write --wait has status 0 for a run that is complete, whatever is said behind it", async () => {
  const message = "Completed. 3 images with ids below 100 came behind others of the range.";
  await using agent = testAgent(() => writer({ message }));
  const context = testContext();
  const args = ["write", "/x.h5", "-n", "3", "--wait", "--api", agent.url];
  assert.equal(await runDaq(args, context), 0);
});

for (
  const [state, message] of [["FAILED", "ERROR: disk full"], ["FINISHED", "Interrupted."]] as const
) {
  Deno.test(`daq write --wait has status 1 when the acquisition ends ${state}: ${message}`, async () => {
    await using agent = testAgent(() => writer({ state, message, done: 1 }));
    const context = testContext();
    assert.equal(
      await runDaq(["write", "/x.h5", "-n", "3", "--wait", "--api", agent.url], context),
      1,
    );
    assert.match(context.stdout, new RegExp(`1/3 images: ${message}`));
    assert.equal(context.stderr, "", "no drawing where there is no terminal");
  });
}

Deno.test("daq write --wait has status 1 when the agent tells of another user's run", async () => {
  await using agent = testAgent((n) => {
    if (n === 0) return writer({ state: "WAITING_IMAGES", done: 0, message: "" });
    const theirs = writer();
    theirs.acquisition.info.run_id = 7n;
    return theirs;
  });
  const context = testContext();
  const args = ["write", "/data/x.h5", "-n", "3", "--wait", "--api", agent.url];
  assert.equal(await runDaq(args, context), 1);
  assert.equal(context.stdout, "");
  assert.match(context.stderr, /^daq: Run 1152921504606846977 .* is over, .* tells of run 7 /);
});

Deno.test("daq write --wait stops waiting on Ctrl-C", async () => {
  const context = testContext();
  await using agent = testAgent((n) => {
    if (n === 2) context.stop();
    return writer({ state: "ACQUIRING_IMAGES", done: 1, message: "" });
  });
  assert.equal(
    await runDaq(["write", "/x.h5", "-n", "3", "--wait", "--api", agent.url], context),
    1,
  );
  assert.match(context.stderr, /interrupted/);
  assert.ok(!agent.requests.some((request) => request.includes("stop")));
});

Deno.test("daq write has status 1 and prints every issue when the agent refuses", async () => {
  await using agent = testAgent(() => ({
    httpStatus: 400,
    message: "The request is wrong.",
    issues: [{ path: "output_file", message: "outside the allowed folders" }],
  }));
  const context = testContext();
  assert.equal(await runDaq(["write", "/x.h5", "-n", "3", "--api", agent.url], context), 1);
  assert.equal(
    context.stderr,
    "daq: The request is wrong.\n  output_file: outside the allowed folders\n",
  );
});

Deno.test("daq write says once what an issue and the refusal say alike", async () => {
  const message = "Output file /x.h5 exists already.";
  const issues = [{ path: "output_file", message }];
  await using agent = testAgent(() => ({ httpStatus: 409, message, issues }));
  const context = testContext();
  assert.equal(await runDaq(["write", "/x.h5", "-n", "3", "--api", agent.url], context), 1);
  assert.equal(context.stderr, `daq: ${message}\n`);
});

Deno.test("daq has status 4 and says what to do when nobody answers", async () => {
  const context = testContext();
  assert.equal(await runDaq(["status", "--api", "http://127.0.0.1:1"], context), 4);
  assert.match(
    context.stderr,
    /^daq: No answer from the writer agent at http:\/\/127\.0\.0\.1:1 .*daq run/,
  );
});

for (
  const [args, complaint] of [
    [["status", "--api", "nowhere"], /nowhere is no URL/],
    [["write", "/x.h5"], /how many images\? Give -n, or --stop-id/],
    [["write", "/x.h5", "-n", "-1"], /'-1' is invalid\. expected an integer, 0 or more/],
    [["write", "/x.h5", "-n", "1", "--start-id", "x"], /--start-id x: expected a whole number/],
    [["write", "/x.h5", "-n", "1", "--timeout", "x"], /--timeout x: expected a number of seconds/],
    [["write", "/x.h5", "-n", "1", "--run-id", "-1"], /--run-id -1: expected a whole number/],
    [["fly"], /unknown command 'fly'/],
    [["run"], /missing required argument 'config'/],
    [["run", "c.json", "--ram", "lots"], /expected a size such as 4G/],
    [["run", "c.json", "--api-port", "65536"], /expected an integer from 0 to 65535/],
    [["replay", "c.json"], /missing required argument 'dump'/],
    [["replay", "c.json", "x", "--modules", "1,a"], /expected module numbers/],
  ] as const
) {
  Deno.test(`daq has status 2 and names the problem on: ${args.join(" ")}`, async () => {
    const context = testContext();
    assert.equal(await runDaq(args, context), 2);
    assert.match(context.stderr, complaint);
    assert.equal(context.stdout, "");
  });
}

Deno.test("daq has status 3 when the config is missing", async () => {
  const context = testContext();
  assert.equal(await runDaq(["run", "/no/such.json"], context), 3);
  assert.match(context.stderr, /\/no\/such\.json/);
});

Deno.test("daq --help lists every command with status 0", async () => {
  const context = testContext();
  assert.equal(await runDaq(["--help"], context), 0);
  for (
    const name of [
      "run",
      "write",
      "status",
      "stop",
      "simulate",
      "replay",
      "pedestal",
      "calibration",
      "config",
      "deployment",
      "logs",
      "stats",
      "completion",
    ]
  ) {
    assert.match(context.stdout, new RegExp(`^  ${name} `, "m"));
  }
});

Deno.test("the README has every option of every command, where it tells of that command", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", import.meta.url));
  const sections = readme.split(/^#{2,3} /m);
  const missing = daqProgram(testContext()).commands.flatMap((command) => {
    const name = command.name();
    const rows = readme.match(new RegExp(`^\\| [^|]*\`${name}\\b.*$`, "gm")) ?? [];
    const own = sections.filter((section) => {
      const heading = section.slice(0, section.indexOf("\n"));
      return heading === "Inputs and outputs" || heading.split(", ").includes(name);
    });
    const words = new Set([...rows, ...own].join(" ").match(/(?<![\w-])--?[a-z][a-z-]*/g));
    return optionsOf(command)
      .filter(({ long, short }) => !words.has(long ?? "") && !words.has(short ?? ""))
      .map(({ flags }) => `daq ${name} ${flags}`);
  });
  assert.deepEqual(missing, []);
});

/** Options of a command, and of those below it. */
function optionsOf(command: CommandUnknownOpts): readonly Option[] {
  return [...command.options, ...command.commands.flatMap(optionsOf)];
}

async function daq(
  args: string[],
  flags: string[] = [],
): Promise<{ code: number; stdout: string }> {
  const main = new URL("./main.ts", import.meta.url).pathname;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...flags, main, ...args],
    stderr: "null",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

Deno.test("daq shows help and completes without any permission", async () => {
  assert.equal((await daq(["--help"])).code, 0);
  const { stdout } = await daq(["complete", "--", "st"]);
  assert.deepEqual(stdout.split("\n").slice(0, 2).map((line) => line.split("\t")[0]), [
    "status",
    "stop",
  ]);
});

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test(`daq completion ${shell} prints a script that asks daq`, async () => {
    const { code, stdout } = await daq(["completion", shell]);
    assert.equal(code, 0);
    assert.match(stdout, /daq complete --/);
  });
}

Deno.test("daq status needs no more than the network", async () => {
  await using agent = testAgent(() => writer());
  const { code } = await daq(["status", "--api", agent.url], [
    `--allow-net=${new URL(agent.url).host}`,
  ]);
  assert.equal(code, 0);
});

Deno.test("daq shows what others have written without what steers a terminal", async () => {
  await using agent = testAgent(() => writer({ message: "ERROR: \x1b[2J/data/\u202ex.h5\nready" }));
  const context = testContext();
  assert.equal(await runDaq(["status", "--api", agent.url], context), 0);
  assert.match(context.stdout, /images: ERROR: {2}\[2J\/data\/ x\.h5 ready$/m);
  await using refusing = testAgent(() => ({ httpStatus: 400, message: "no\x1b[31m\nmore" }));
  assert.equal(await runDaq(["stop", "--api", refusing.url], context), 1);
  assert.equal(context.stderr, "daq: no [31m\nmore\n");
});
