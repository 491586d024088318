/** A service for broker_test.ts: its requests last until they are killed. */
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
  schema: z.unknown(),
  async onRequest(_id, _request, { signal }): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => reject(signal.reason));
    await promise;
  },
});
