/**
 * Our side of the broker row: a service that answers at once.
 *
 *   broker_ours.ts <tag>
 *
 * @module
 */
import { z } from "zod";
import { PrimaryService, resolveBroker } from "../lib/broker/mod.ts";
import { print } from "./_print.ts";

const [tag = "#"] = Deno.args;
await using _service = await PrimaryService.start({
  broker: resolveBroker({ env: (name) => Deno.env.get(name) }),
  serviceName: "ours",
  tag,
  schema: z.looseObject({ n: z.int() }),
  handler: { onRequest: (_id, { n }) => ({ got: n }) },
});
print("ready");
for await (const _ of Deno.stdin.readable); // until the bench closes it
