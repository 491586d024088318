import assert from "node:assert/strict";
import { BrokerError } from "./broker_error.ts";
import type { Outgoing } from "./_messages.ts";
import { StatusLane } from "./_status_lane.ts";

const status = (requestId: string): Outgoing => ({
  exchange: "status",
  routingKey: "#",
  requestId,
  headers: {},
  body: new Uint8Array(),
});

Deno.test("StatusLane sends again, in order, what has no receipt when the connection breaks", async () => {
  const sent: string[] = [];
  const lane = new StatusLane({
    publishOnce({ requestId }): Promise<void> {
      sent.push(`once ${requestId}`);
      return requestId === "1" ? Promise.resolve() : Promise.reject(new Error("connection closed"));
    },
    publish({ requestId }): Promise<void> {
      sent.push(`again ${requestId}`);
      return Promise.resolve();
    },
  });
  await Promise.all(["1", "2", "3"].map((id) => lane.send(status(id))));
  assert.deepEqual(sent, ["once 1", "once 2", "once 3", "again 2", "again 3"]);
  await lane.send(status("4"));
  assert.deepEqual(sent.slice(5), ["once 4", "again 4"]);
});

Deno.test("StatusLane rejects only what the broker refuses", async () => {
  const refusal = new BrokerError("too long");
  const lane = new StatusLane({
    publishOnce: ({ requestId }) =>
      requestId === "2" ? Promise.reject(new RangeError("too long")) : Promise.resolve(),
    publish: () => Promise.reject(refusal),
  });
  const ends = await Promise.allSettled(["1", "2", "3"].map((id) => lane.send(status(id))));
  assert.deepEqual(ends.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.equal(ends[1]?.status === "rejected" && ends[1].reason, refusal);
});
