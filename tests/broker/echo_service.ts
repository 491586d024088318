// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * A service for broker_faults_test.ts, run with `--v8-flags=--expose-gc`. It answers `{ n }` with n;
 * `{ heap: true }` with the bytes in use after a garbage collection. With `leak` as its second argument it
 * keeps 1 KiB of each request, so that a test can see that it would notice.
 */
import { z } from "zod";
import { PrimaryService, resolveBroker } from "../../lib/broker/mod.ts";

const [tag = "#", leak] = Deno.args;
const kept: Uint8Array[] = [];

await using _service = await PrimaryService.start({
  broker: resolveBroker({ env: (name) => Deno.env.get(name) }),
  serviceName: "echo",
  tag,
  schema: z.union([z.object({ n: z.int() }), z.object({ heap: z.literal(true) })]),
  handler: {
    onRequest(_id, request): number {
      if (leak !== undefined) kept.push(new Uint8Array(1024).fill(1));
      return "n" in request ? request.n : bytesInUse();
    },
  },
  remember: 500, // so that what is remembered on purpose is the same at both measures
});
console.log(JSON.stringify({ event: "ready", service: "echo", pid: Deno.pid }));
for await (const _ of Deno.stdin.readable); // until the test closes it

declare global {
  /** V8's collector, where `--expose-gc` gives it. */
  var gc: (() => void) | undefined;
}

function bytesInUse(): number {
  if (globalThis.gc === undefined) throw new Error("start it with --v8-flags=--expose-gc");
  for (let i = 0; i < 3; i++) globalThis.gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
