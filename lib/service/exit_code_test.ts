import assert from "node:assert/strict";
import { DataWorkerError } from "./data_worker_error.ts";
import { causeChain, exitCodeOf } from "./exit_code.ts";
import { ServiceStartError } from "./service_start_error.ts";
import { UsageError } from "./usage_error.ts";

function named(name: string, cause?: Error): Error {
  return Object.assign(new Error(name, { cause }), { name });
}

for (
  const [error, code] of [
    [new Error("?"), 1],
    ["not even an error", 1],
    [new UsageError("no module 9"), 2],
    [named("BrokerUsageError"), 2],
    [named("StoreUsageError"), 2],
    [named("ConfigError"), 3],
    [named("CalibrationError"), 3],
    [named("ArrayFileError"), 3],
    [named("OsError"), 4],
    [named("ZmqError"), 4],
    [named("RingBusyError"), 4],
    [new Error("cannot start", { cause: named("OsError") }), 4],
    [new DataWorkerError("receive-0", named("OsError")), 4],
    [new DataWorkerError("receive-0", new TypeError("?")), 5],
    [new ServiceStartError("std_udp_recv", 3, "?"), 3],
    [new ServiceStartError("std_udp_recv", 137, "?"), 1],
    [new ServiceStartError("std_udp_recv", 0, "?"), 1],
    [new ServiceStartError("std_udp_recv", undefined, "?"), 1],
  ] as const
) {
  Deno.test(`exitCodeOf() is ${code} for ${error}${error instanceof Error && error.cause ? ` caused by ${error.cause}` : ""}`, () => {
    assert.equal(exitCodeOf(error), code);
  });
}

Deno.test("causeChain() ends on a circle of causes", () => {
  const error = new Error("a");
  error.cause = error;
  assert.equal(causeChain(error).length, 16);
});
