import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { runLimited } from "./limited_command.ts";

const signal = new AbortController().signal;

/** A pipe that scripts hold open, which tells when they are there and when all of them have ended. */
class Held implements AsyncDisposable {
  readonly #folder: string;
  readonly #reader: Promise<ReadableStreamDefaultReader<Uint8Array>>;

  private constructor(folder: string) {
    this.#folder = folder;
    // It opens when a script does.
    this.#reader = Deno.open(`${folder}/pipe`).then(({ readable }) => readable.getReader());
  }

  static async make(): Promise<Held> {
    const folder = await Deno.makeTempDir({ prefix: "std-daq-limited-" });
    ok((await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output()).success);
    return new Held(folder);
  }

  /** A command whose script holds the pipe, and so does all that it starts. */
  command(script: string): string[] {
    return ["sh", "-c", `exec 3> ${this.#folder}/pipe; ${script}`];
  }

  async started(): Promise<void> {
    await (await this.#reader).read();
  }

  async ended(): Promise<void> {
    const reader = await this.#reader;
    while (!(await reader.read()).done);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#reader).cancel();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test("runLimited() tells how a program ended, and the end of what it said", async () => {
  const quick = { limitMs: 60_000, signal };
  deepStrictEqual(await runLimited(["sh", "-c", "echo so >&2; exit 3"], quick), {
    status: 3,
    said: "so\n",
  });
  const much = await runLimited(["sh", "-c", "yes | head -c 100000 >&2; echo end >&2"], quick);
  strictEqual(much.status, 0);
  ok(much.said.length <= 4096 && much.said.endsWith("y\nend\n"));
  await rejects(runLimited(["/no/such"], quick), Deno.errors.NotFound);
});

Deno.test("runLimited() ends a program and its group when time is up", async () => {
  await using held = await Held.make();
  const command = held.command("echo so >&2; echo >&3; sleep 600 & wait");
  const end = await runLimited(command, { limitMs: 2_000, signal });
  deepStrictEqual(end, { status: "late", said: "so\n" });
  await held.ended();
});

for (
  const [what, script] of [
    ["a program", "echo >&3; sleep 600 & wait"],
    ["one that does not want to end", "trap '' TERM; echo >&3; sleep 600 & wait"],
    ["what a program left behind", "sleep 600 & echo >&3"],
  ] as const
) {
  Deno.test(`runLimited() ends ${what}, with its group, when it is interrupted`, async () => {
    await using held = await Held.make();
    const stop = new AbortController();
    const run = runLimited(held.command(script), { limitMs: 60_000, signal: stop.signal });
    await held.started();
    stop.abort(new Error("Ctrl-C"));
    await rejects(run, /Ctrl-C/);
    await held.ended();
  });
}
