import assert from "node:assert/strict";
import {
  driverAddress,
  encodeWriterResponse,
  writerAddress,
  type WriterResponse,
} from "../../lib/protocol/mod.ts";
import { Socket } from "../../lib/zmq/mod.ts";
import { uniqueDetector } from "./_fake_assembler.ts";
import { until } from "./_fakes.ts";
import { ZmqWriterPort } from "./zmq_writer_port.ts";

Deno.test("ZmqWriterPort tells when a writer works, and when it ends at that", async () => {
  const ipcFolder = Deno.makeTempDirSync({ prefix: "port_" });
  using cleanup = new DisposableStack();
  cleanup.defer(() => Deno.removeSync(ipcFolder, { recursive: true }));
  const detector = uniqueDetector();
  const port = cleanup.use(
    new ZmqWriterPort({ detector, writerId: 0, ipcFolder, sendTimeoutMs: 5000 }),
  );
  const told: string[] = [];
  port.listen({
    onAnswer: ({ action }) => told.push(String(action)),
    onWorking: (working) => told.push(`working ${working}`),
    onFailure: (reason) => told.push(reason),
  });
  const commands = cleanup.use(new Socket("PULL"));
  commands.connect(driverAddress(detector, 0, ipcFolder));
  const answers = cleanup.use(new Socket("PUSH"));
  answers.bind(writerAddress(detector, 0, ipcFolder));
  const send = (response: Partial<WriterResponse>): Promise<void> =>
    answers.send(encodeWriterResponse({ code: "success", reason: "", ...response }));
  port.send({ action: "confirm_last_image" });
  await port.drained();
  await send({ code: "unknown", working: true });
  await send({ code: "unknown", working: false });
  await send({ action: "confirm_last_image" });
  await send({ code: "unknown", working: true });
  await until("work", () => told.length === 4);
  const before = ["working true", "working false", "confirm_last_image", "working true"];
  assert.deepEqual(told, before);
  commands.close(); // as the end of its process does
  await until("the end", () => told.length === 6);
  assert.deepEqual(told.slice(4, 5), ["working false"]);
  assert.match(told[5]!, /^the file writer ended while/);
});
