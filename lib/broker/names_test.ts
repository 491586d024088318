import assert from "node:assert/strict";
import { BrokerUsageError } from "./broker_error.ts";
import { resolveBroker } from "./broker_options.ts";
import { checkName } from "./names.ts";
import { PostprocessingService } from "./postprocessing_service.ts";

const ä = (count: number): string => "ä".repeat(count); // two bytes each

for (
  const [kind, name, problem] of [
    ["service name", "psi.tomcat.writer", undefined],
    ["service name", "", /^service name "" is empty: give one such as psi\.tomcat\.writer$/],
    ["service name", "my service", /^service name "my service" has white space/],
    [
      "service name",
      "a\u0007",
      /^service name "a\\u0007" has white space or characters that cannot/,
    ],
    ["tag", "psi.#", undefined],
    ["tag", "", /^tag "" is empty: .*# is all$/],
    ["tag", ä(127), undefined],
    ["tag", ä(128), /^tag "ä+…? has 256 bytes, expected at most 255: shorten it$/],
    ["queue", "writer", undefined],
    ["queue", "", /^queue "" is empty: give one, or none$/],
    ["queue", "amq.gen-x", /^queue "amq\.gen-x" begins with amq\., which RabbitMQ keeps to itself/],
    ["queue", "a\nb", /^queue "a\\nb" has white space/],
    ["request id", "any thing\u0007", undefined],
    ["request id", "", /^request id "" is empty: give one such as a UUID$/],
    ["request id", "x".repeat(256), /has 256 bytes/],
    ["primary service", "", /^primary service "" is empty: give one, the name of the service/],
  ] as const
) {
  Deno.test(`checkName() of ${kind} ${JSON.stringify(name).slice(0, 40)}`, () => {
    if (problem === undefined) return assert.equal(checkName(kind, name), name);
    assert.throws(() => checkName(kind, name), (error) => {
      assert.ok(error instanceof BrokerUsageError);
      assert.match(error.message, problem);
      return true;
    });
  });
}

Deno.test("PostprocessingService is not started to follow itself, nor under a name that is none", async () => {
  const options = {
    broker: resolveBroker(),
    serviceName: "a",
    primary: "a",
    schema: { safeParse: (data: unknown) => ({ success: true, data }) as const },
    handler: { onRequest: () => null },
  };
  await assert.rejects(
    PostprocessingService.start(options),
    /^BrokerUsageError: a is to follow a: itself\. Give it a name of its own$/,
  );
  await assert.rejects(PostprocessingService.start({ ...options, serviceName: "" }), /is empty/);
});
