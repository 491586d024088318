import { deepStrictEqual } from "node:assert/strict";
import { deploymentState } from "./deployment_state.ts";
import type { Deployment, Entry } from "./store.ts";

/** What was said, the first first, one ms apart. */
function said(...words: [server: string, message: string, detail?: string][]): Entry<Deployment>[] {
  return words.map(([server_name, message, detail], i) => ({
    id: `${1000 + i}-0`,
    time: 1000 + i,
    value: { server_name, message, ...(detail !== undefined && { detail }) },
  })).reverse();
}

const status = (...words: Parameters<typeof said>): string =>
  deploymentState("1-0", said(...words)).status;

Deno.test("deploymentState() takes each server's last word", () => {
  deepStrictEqual(status(), "UNKNOWN");
  deepStrictEqual(status(["a", "Deploying"]), "RUNNING");
  deepStrictEqual(status(["a", "Deploying"], ["a", "Done"]), "SUCCESS");
  deepStrictEqual(status(["a", "Done"], ["b", "Deploying"]), "RUNNING");
  deepStrictEqual(status(["a", "Error"], ["b", "Deploying"]), "ERROR");
  deepStrictEqual(status(["a", "Error"], ["a", "Done"]), "SUCCESS");
  deepStrictEqual(status(["a", "Gone fishing"]), "UNKNOWN");
  deepStrictEqual(deploymentState(undefined, []).status, "UNKNOWN");
});

Deno.test("deploymentState() waits for the servers it is told to expect", () => {
  const done = said(["a", "Done"]);
  const { status, message } = deploymentState("1-0", done, ["a", "b"]);
  deepStrictEqual([status, message], ["RUNNING", "Nothing yet from b."]);
  deepStrictEqual(deploymentState("1-0", done, ["a"]).status, "SUCCESS");
});

Deno.test("deploymentState() has times, and the details of the last word only", () => {
  const state = deploymentState(
    "1-0",
    said(["a", "Deploying"], ["b", "Error", "bit_depth is 7"], ["a", "Error", "x"], ["a", "Done"]),
  );
  deepStrictEqual(state.servers, { a: "Done", b: "Error" });
  deepStrictEqual(state.details, { b: "bit_depth is 7" });
  deepStrictEqual(state.stats, { start_time: 1, stop_time: 1.003 });
  deepStrictEqual(deploymentState("1-0", said(["a", "Deploying"])).stats.stop_time, null);
});
