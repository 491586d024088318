/** The exit statuses of `README.md`, as far as they need no server. */
import { match, strictEqual } from "node:assert/strict";
import { jungfrauModule } from "../../lib/config/_test_configs.ts";
import { testContext } from "./_test_context.ts";
import { runDaq } from "./program.ts";

const folder = Deno.makeTempDirSync({ prefix: `std_daq_exit_status_${Deno.pid}_` });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const raw = file("raw.json", JSON.stringify(jungfrauModule()));
const broken = file("broken.json", "{");
const junk = file("junk.h5", "junk");
const cut = file("cut.dat", "x");
const store = `sqlite:${folder}/store.sqlite`;

function file(name: string, text: string): string {
  Deno.writeTextFileSync(`${folder}/${name}`, text);
  return `${folder}/${name}`;
}

const CASES: readonly (readonly [status: number, said: RegExp, ...args: string[]])[] = [
  [0, /^$/, "logs", "--store", store],
  [0, /Usage: daq file/, "file", "--help"],
  [1, /is not a readable HDF5 file/, "file", "check", junk],
  [1, /is not a readable HDF5 file/, "file", "preview", junk, `${folder}/a.png`],
  [1, /is not a readable HDF5 file/, "file", "convert", junk, `${folder}/a.h5`, "--format", "both"],
  [1, /the file was cut off/, "replay", raw, cut],
  [2, /Usage: daq config/, "config"],
  [2, /unknown option '--fast'/, "status", "--fast"],
  [2, /Allowed choices are/, "completion", "csh"],
  [2, /a picture is a \.gif or a \.png file/, "file", "preview", junk, `${folder}/a.jpg`],
  [2, /are not corrected/, "calibration", "status", raw],
  [2, /recording \S+none\.dat does not exist/, "replay", raw, `${folder}/none.dat`],
  [2, /this machine has no interrupt 999999/, "host", "move-irq", "999999", "0"],
  [2, /cannot be read/, "config", "set", `${folder}/none.json`, "--store", store],
  [2, /the store has no config:/, "config", "get", "--store", store],
  [2, /the store has no config 1-1:/, "config", "rollback", "1-1", "--store", store],
  [2, /'newest' is invalid/, "config", "rollback", "newest", "--store", store],
  [2, /the store has no config:/, "deployment", "--store", store],
  [2, /expected an integer, 1 to 2000000/, "deployment", "--wait", "--timeout", "2147484"],
  [2, /expected an integer, 1 to 2000000/, "request", "tag", "{}", "--timeout", "9999999"],
  [2, /store address nowhere is none/, "stats", "--store", "nowhere"],
  [2, /broker address nowhere is none/, "monitor", "--broker", "nowhere"],
  [2, /the request is not JSON/, "request", "tag", "{"],
  [3, /none\.json is not valid/, "simulate", `${folder}/none.json`],
  [3, /broken\.json is not valid/, "replay", broken, cut],
  [3, /broken\.json is not valid/, "pedestal", broken],
  [3, /broken\.json is not valid/, "host", "check", "--config", broken],
  [3, /broken\.json is not valid/, "config", "set", broken, "--store", store],
  [4, /none\.h5: ENOENT/, "file", "check", `${folder}/none.h5`],
  [4, /cannot be opened/, "config", "history", "--store", `sqlite:${folder}/none/store.sqlite`],
];

for (const [status, said, ...args] of CASES) {
  Deno.test(`daq has status ${status}: ${args.join(" ").replaceAll(folder, "…")}`, async () => {
    const context = testContext();
    strictEqual(await runDaq(args, context), status, context.stderr);
    match(context.stderr + context.stdout, said);
  });
}
