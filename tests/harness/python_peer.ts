import { deepStrictEqual } from "node:assert/strict";
import { z } from "zod";
import { TestProcess } from "./process.ts";
import type { RabbitMq } from "./rabbitmq.ts";

const PEER = new URL("../interop/broker_peer.py", import.meta.url).pathname;

const lineSchema = z.looseObject({
  sent: z.string().optional(),
  id: z.string().optional(),
  action: z.string().optional(),
  message: z.unknown().optional(),
});

/** A line that a peer prints. */
export type PeerLine = z.infer<typeof lineSchema>;

/** A running broker_peer.py: a client or service written with pika, as the original's are. */
export class PythonPeer implements AsyncDisposable {
  readonly #process: TestProcess;
  #read = 0;

  private constructor(rabbit: RabbitMq, args: string[]) {
    const login = [String(rabbit.port), rabbit.user, rabbit.password];
    this.#process = new TestProcess("pika peer", "/usr/bin/python3", [PEER, ...login, ...args]);
  }

  /** Starts one and waits until it is bound. */
  static async start(rabbit: RabbitMq, ...args: string[]): Promise<PythonPeer> {
    const peer = new PythonPeer(rabbit, args);
    deepStrictEqual(await peer.next(), { ready: true });
    return peer;
  }

  /** The next line that it prints. */
  async next(): Promise<PeerLine> {
    const line = this.#read++;
    let seen = 0;
    const text = await this.#process.line("a line", (text) => seen++ === line ? text : undefined);
    return lineSchema.parse(JSON.parse(text));
  }

  /** Has a client send a request; tells its id. */
  async request(request: unknown): Promise<string> {
    return await this.order({ request });
  }

  /** Has it send something; tells the id. */
  async order(order: unknown): Promise<string> {
    await this.tell(order);
    for (;;) {
      const { sent } = await this.next();
      if (sent !== undefined) return sent;
    }
  }

  /** The statuses of a request up to its end. */
  async statuses(requestId: string): Promise<PeerLine[]> {
    const statuses = [];
    for (;;) {
      const status = await this.next();
      if (status.id === requestId) statuses.push(status);
      if (status.id === requestId && /success|fail/.test(status.action ?? "")) return statuses;
    }
  }

  /** Has it do something. */
  async tell(order: unknown): Promise<void> {
    await this.#process.write(`${JSON.stringify(order)}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
