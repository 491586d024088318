import assert from "node:assert/strict";
import { decodeWriterResponse, type WriterResponse } from "../../lib/protocol/mod.ts";
import { Socket } from "../../lib/zmq/mod.ts";
import { Answers } from "./answers.ts";

/** Longer than a connection takes, ms. */
const LIMIT_MS = 700;

const IMAGE = { code: "success", reason: "", action: "record_image", nWritten: 1 } as const;
const CLOSE = { code: "success", reason: "", action: "close_file", nWritten: 1 } as const;

/** Answers, the socket's address, what is logged, and whether the service stops. */
class Bench implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "std_daq_answers_" });
  readonly address = `ipc://${this.folder}/answers`;
  readonly socket = new Socket("PUSH");
  readonly logged: string[] = [];
  stopping = false;
  readonly answers = new Answers({
    socket: this.socket,
    limitMs: LIMIT_MS,
    isStopping: () => this.stopping,
    log: (level, message) => void this.logged.push(`${level}: ${message}`),
  });

  constructor() {
    this.socket.bind(this.address);
  }

  /** Sends answers; returns how long it took, ms. */
  send(...answers: WriterResponse[]): number {
    const begin = performance.now();
    for (const each of answers) this.answers.send(each);
    return performance.now() - begin;
  }

  [Symbol.dispose](): void {
    this.socket.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function receive(agent: Socket): WriterResponse["action"] {
  return decodeWriterResponse(agent.receiveBlocking(5_000)![0]!).action;
}

Deno.test("answers for images are not waited for again when the agent is gone, others are", () => {
  using bench = new Bench();
  assert.ok(bench.send(...Array<WriterResponse>(50).fill(IMAGE)) < 2 * LIMIT_MS);
  assert.deepEqual(bench.logged, [
    "error: an answer could not be sent: the writer agent takes none",
  ]);
  using agent = new Socket("PULL");
  agent.connect(bench.address); // a moment later: whatever it has asked for is answered by then
  bench.send(CLOSE);
  assert.equal(receive(agent), "close_file");
  assert.equal(bench.logged[1], "error: 49 more answers in a row could not be sent");
  bench.send(IMAGE);
  assert.equal(receive(agent), "record_image");
});

Deno.test("answers are not waited for while the service stops, and sent to an agent that is there", () => {
  using bench = new Bench();
  bench.stopping = true;
  assert.ok(bench.send(CLOSE, IMAGE, CLOSE) < LIMIT_MS);
  bench.stopping = false;
  using agent = new Socket("PULL");
  agent.connect(bench.address);
  bench.send(CLOSE);
  bench.stopping = true;
  bench.send(IMAGE);
  assert.deepEqual([receive(agent), receive(agent)], ["close_file", "record_image"]);
});
