// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * All tests: installs what they need, runs the unit tests beside the code in parallel, the examples
 * in the documentation of the API, then the end-to-end tests, and sums up.
 *
 *   deno task test                     everything
 *   deno task test lib/ring tests/x    only these files or folders
 */
import { END_TO_END, LONGEST, UNITS } from "./test_folders.ts";
import { installTestTools } from "./test_tools.ts";

/** What a test run came to. */
interface Outcome {
  passed: number;
  failed: number;
  ignored: number;
  code: number;
}

const EXAMPLES = ["--doc", ...filesWithExamples()];

await installTestTools();
const chosen = Deno.args;
const runs = chosen.length > 0
  ? [chosen]
  : [longestFirst(UNITS), EXAMPLES, longestFirst(END_TO_END)];
const outcomes: Outcome[] = [];
for (const paths of runs) outcomes.push(await runTests(paths));
const total = outcomes.reduce((a, b) => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  ignored: a.ignored + b.ignored,
  code: Math.max(a.code, b.code),
}));
// A run that broke before it could count (a module that does not load) has failed, too.
const failed = total.failed === 0 && total.code !== 0 ? 1 : total.failed;
const skipped = total.ignored > 0 ? `, ${total.ignored} skipped` : "";
console.log(`${total.passed} passed, ${failed} failed${skipped}`);
Deno.exit(total.code);

/** Folders, after the files in them that are begun first: Deno takes what is named before what it finds, and once. */
function longestFirst(folders: readonly string[]): string[] {
  const first = LONGEST.filter((file) => folders.some((folder) => file.startsWith(`${folder}/`)));
  return [...first, ...folders];
}

/** The modules of the public API that show how to use them. */
function filesWithExamples(): string[] {
  const folders = [...Deno.readDirSync("lib")].map((entry) => `lib/${entry.name}`);
  return [
    "mod.ts",
    ...folders.flatMap((folder) =>
      [...Deno.readDirSync(folder)].map((entry) => `${folder}/${entry.name}`)
    ),
  ].filter((path) => path.endsWith(".ts") && Deno.readTextFileSync(path).includes("@example"));
}

/** Runs `deno test` on some paths, showing what it prints. */
async function runTests(paths: readonly string[]): Promise<Outcome> {
  const command = new Deno.Command(Deno.execPath(), {
    // Types are `deno task check`'s: here, each Worker that a test starts would be checked once more.
    args: ["test", "-A", "--no-check", "--parallel", ...paths],
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  });
  const child = command.spawn();
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    await Deno.stdout.write(new TextEncoder().encode(text));
  }
  const { code } = await child.status;
  const last =
    /(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored)?/g;
  const summary = [...output.matchAll(last)].at(-1);
  const [passed = 0, failed = 0, ignored = 0] = (summary ?? []).slice(1).map((n) => Number(n ?? 0));
  return { passed, failed, ignored, code };
}
