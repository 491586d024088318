import assert from "node:assert/strict";
import { BrokerClient } from "./broker_client.ts";
import { resolveBroker } from "./broker_options.ts";

Deno.test({
  name: "a connection that this process may not make is told as such, by name and by address",
  permissions: { net: false },
  fn: async () => {
    for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
      await assert.rejects(
        BrokerClient.connect({ broker: resolveBroker({ url: `amqp://${host}:9` }) }),
        {
          name: "BrokerError",
          message: `amqp://${host}:9: this process has no permission to connect to it: ` +
            `add ${host}:9 to "net" of its permission set in deno.json, or start it with ` +
            `--allow-net=${host}:9`,
        },
      );
    }
  },
});
