import { TestProcess } from "./process.ts";
import { until } from "./until.ts";

const SCRIPT = new URL("zmq_listen.py", import.meta.url).pathname;
const PYTHON = "/usr/bin/python3";

/** Messages of std-daq's public streams as pyzmq gets them: any user's program. */
export class StreamListener implements AsyncDisposable {
  readonly #process: TestProcess;

  private constructor(process: TestProcess) {
    this.#process = process;
  }

  /** Subscribes; resolves when all publishers are connected. */
  static async start(addresses: readonly string[]): Promise<StreamListener> {
    const process = new TestProcess("zmq_listen.py", PYTHON, [SCRIPT, ...addresses]);
    const listener = new StreamListener(process);
    try {
      await process.line("a ready line", (line) => line === "ready" || undefined);
      return listener;
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Messages of one address so far, hex. */
  messages(address: string): string[] {
    const start = `${address} `;
    return this.#process.out.filter((line) => line.startsWith(start)).map((line) =>
      line.slice(start.length)
    );
  }

  /** Waits until an address has sent so many messages; returns them, hex. */
  async take(address: string, count: number): Promise<string[]> {
    return await until(`${count} messages of ${address}`, () => {
      const messages = this.messages(address);
      return messages.length >= count && messages;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
