/**
 * A service for broker_test.ts: its requests last until they are killed. `{ done: true }` is done at once,
 * `{ circle: true }` likewise, with a result that is no JSON.
 */
import { z } from "zod";
import { defaultServiceSetup, servePrimary } from "../../lib/service/mod.ts";

const service = await defaultServiceSetup({
  name: "held",
  summary: "Does nothing until it is killed.",
  kind: "primary",
  config: "none",
  arguments: (program) => program,
});

await servePrimary(service, {
  schema: z.looseObject({ done: z.boolean().optional(), circle: z.boolean().optional() }),
  async onRequest(_id, request, { signal }): Promise<unknown> {
    if (request.circle) {
      const circle: Record<string, unknown> = {};
      return circle["self"] = circle;
    }
    if (request.done) return "done";
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => reject(signal.reason));
    return await promise;
  },
});
