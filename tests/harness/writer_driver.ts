import {
  decodeWriterResponse,
  driverAddress,
  encodeWriterAction,
  type WriterAction,
  writerAddress,
  type WriterResponse,
} from "../../lib/protocol/mod.ts";
import { Socket } from "../../lib/zmq/mod.ts";

const ANSWER_MS = 10_000;

/** Orders files from a file writer directly, as std-daq's own driver does; takes the agent's place. */
export class WriterDriver implements Disposable {
  readonly #commands = new Socket("PUSH");
  readonly #answers = new Socket("PULL");

  constructor(detector: string) {
    this.#commands.bind(driverAddress(detector, 0));
    this.#answers.connect(writerAddress(detector, 0));
  }

  /** Orders, and waits for the answer. */
  async ask(action: WriterAction): Promise<WriterResponse> {
    await this.#commands.send(encodeWriterAction(action), { timeoutMs: ANSWER_MS });
    for (;;) {
      const [bytes] = await this.#answers.receive({ timeoutMs: ANSWER_MS });
      const answer = decodeWriterResponse(bytes!);
      if (answer.working === undefined) return answer;
    }
  }

  /** Orders a file. */
  create(path: string, more: { userId?: number } = {}): Promise<WriterResponse> {
    const action = "create_file";
    const ours = { nImages: 0, acknowledgeImages: true, runId: 0n, request: "", ...more };
    return this.ask({ action, path, writerId: 0, ...ours });
  }

  [Symbol.dispose](): void {
    this.#commands.close();
    this.#answers.close();
  }
}
