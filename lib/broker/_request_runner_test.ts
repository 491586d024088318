import assert from "node:assert/strict";
import { z } from "zod";
import { resolveBroker } from "./broker_options.ts";
import { BrokerError } from "./broker_error.ts";
import { settlementOf } from "./_subscription.ts";
import { RequestRunner } from "./_request_runner.ts";

const DELIVERY = {
  requestId: "1",
  body: new TextEncoder().encode("{}"),
  headers: {},
  routingKey: "a.b",
  isStray: false,
  redelivered: false,
};

Deno.test("a result that the broker refuses is told as a failure, in short", async () => {
  const told: unknown[] = [];
  const notes: string[] = [];
  const runner = new RequestRunner({
    broker: resolveBroker(),
    serviceName: "a.b.service",
    schema: z.unknown(),
    handler: { onRequest: () => "much" },
    onNote: (note) => void notes.push(note),
  }, (_delivery, action, message) => {
    if (message === "much") return Promise.reject(new BrokerError("frame size exceeds maximum"));
    told.push([action, message]);
    return Promise.resolve();
  });
  assert.equal(await settlementOf(await runner.take(DELIVERY, (tools) => tools)), "reject");
  const message = "The request succeeded, but that could not be told: frame size exceeds maximum";
  assert.deepEqual(told, [["request_start", null], ["request_fail", message]]);
  assert.deepEqual(notes, [`request 1: ${message}`]);
});

Deno.test("a status that nobody takes any more rejects, as before the end", async () => {
  const runner = new RequestRunner({
    broker: resolveBroker(),
    serviceName: "a.b.service",
    schema: z.unknown(),
    handler: { onRequest: () => 1 },
  }, () => Promise.reject(new BrokerError("closed")));
  const handled = await runner.take(DELIVERY, (tools) => tools);
  await assert.rejects(settlementOf(handled), /closed/);
});
