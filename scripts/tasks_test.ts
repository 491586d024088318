import { deepStrictEqual, ok } from "node:assert/strict";
import settings from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url).pathname;

/** The commands of all tasks, one by one. */
const COMMANDS: readonly string[] = Object.values<string | { command: string }>(settings.tasks)
  .flatMap((task) => (typeof task === "string" ? task : task.command).split("&&"))
  .map((command) => command.trim());

Deno.test("only scripts that build or test may do everything (-A)", () => {
  const unlimited = COMMANDS.filter((command) => /\s(-A|--allow-all)\b/.test(command));
  ok(unlimited.length > 0);
  deepStrictEqual(unlimited.filter((command) => !/^deno run -A scripts\//.test(command)), []);
});

Deno.test("what the bench starts has a permission set of its own", async () => {
  for (const { name } of Deno.readDirSync(`${ROOT}bench`)) {
    if (!name.endsWith(".ts")) continue;
    const text = await Deno.readTextFile(`${ROOT}bench/${name}`);
    ok(!/"(-A|--allow-all)"/.test(text), `bench/${name} starts something with -A`);
  }
});

Deno.test("every permission set that a task names is there", () => {
  const named = COMMANDS.flatMap((command) => /-P=(\S+)/.exec(command)?.[1] ?? []);
  deepStrictEqual(named.filter((name) => !(name in settings.permissions)), []);
});
