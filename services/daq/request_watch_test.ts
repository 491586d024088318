import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Status } from "../../lib/broker/mod.ts";
import { testContext } from "./_test_context.ts";
import { requestText, RequestWatch } from "./request_watch.ts";

function status(source: string, action: Status["action"], message: unknown = null): Status {
  const request = { n_images: 100, output_file: "/data/runs/run_0001.h5" };
  return { requestId: "abcdef-uvwxyz", tag: "psi.#", source, action, message, request };
}

/** A run that a validator finds wrong: time of each status, ms, and the status. */
const STORY: readonly (readonly [number, Status])[] = [
  [1_000, status("writer", "request_start")],
  [1_500, status("writer", "request_progress", { n: 1 })],
  [4_200, status("writer", "request_success", { file: "/data/x.h5" })],
  [4_300, status("check\x1b[2J", "request_start")],
  [5_250, status("check\x1b[2J", "request_fail", "3 images\nare missing")],
];

function told(width?: number): string[] {
  const context = testContext(width === undefined ? {} : { outWidth: width });
  const watch = new RequestWatch();
  return STORY.flatMap(([now, status]) =>
    requestText(watch.add(status, now), status, context).trimEnd().split("\n")
  );
}

Deno.test("a request is told with its outcome, its time, and what each service said at its end", () => {
  const request = '{"n_images":100,"output_file":"/data/runs/run_0001.h5"}';
  deepStrictEqual(told(), [
    `* abcd..wxyz  * writer  ${request}`,
    `* abcd..wxyz  ~ writer  ${request}`,
    `+ abcd..wxyz 3.2 s  + writer  ${request}`,
    '    writer: {"file":"/data/x.h5"}',
    `* abcd..wxyz  + writer  * check [2J  ${request}`,
    `- abcd..wxyz 4.3 s  + writer  - check [2J  ${request}`,
    "    check [2J: 3 images are missing",
  ]);
});

Deno.test("on a terminal the request is cut to its width, and what was said is not", () => {
  deepStrictEqual(told(50).slice(2, 4), [
    '+ abcd..wxyz 3.2 s  + writer  {"n_images":100,"ou…',
    '    writer: {"file":"/data/x.h5"}',
  ]);
  strictEqual(told(50)[2]?.length, 50);
  strictEqual(told(10)[2], '+ abcd..wxyz 3.2 s  + writer  {"n_images"…');
});

Deno.test("a request that began before has no time, and one that goes on has no outcome", () => {
  const watch = new RequestWatch();
  const [progress, success] = [STORY[1]![1], STORY[2]![1]];
  const { status: none, seconds } = watch.add(progress, 1);
  deepStrictEqual([none, seconds], [null, null]);
  const over = watch.add(success, 2);
  deepStrictEqual([over.status, over.seconds], ["request_success", null]);
  deepStrictEqual(Object.keys(over.services), ["writer"]);
});
