import assert from "node:assert/strict";
import { until } from "../../tests/harness/until.ts";
import { RedisConnection } from "./_redis_connection.ts";

Deno.test({
  name: "a Redis that this process may not connect to is told as such, by name and by address",
  permissions: { net: false },
  fn: async () => {
    for (const host of ["localhost", "127.0.0.1"]) {
      using connection = new RedisConnection({ address: `redis://${host}:9` });
      await until("an attempt", () => connection.problem !== "no answer");
      assert.equal(
        connection.problem,
        `this process has no permission to connect to it: add ${host}:9 to "net" of its ` +
          `permission set in deno.json, or start it with --allow-net=${host}:9`,
      );
    }
  },
});
