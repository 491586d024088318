import type { DetectorConfig } from "../../lib/config/mod.ts";
import { modulePort } from "../../lib/config/mod.ts";
import { BatchSender } from "../../services/daq/replay_sender.ts";

/** Sends ready-made datagrams to the ports of a detector's modules. */
export class UdpSource implements Disposable {
  readonly #config: DetectorConfig;
  readonly #senders = new Map<number, BatchSender>();

  constructor(config: DetectorConfig) {
    this.#config = config;
  }

  /** Queues a datagram for a module; every 16th goes out at once. */
  push(module: number, datagram: Uint8Array): void {
    let sender = this.#senders.get(module);
    if (sender === undefined) {
      const port = modulePort(this.#config, module);
      sender = new BatchSender({ address: "127.0.0.1", port }, 16);
      this.#senders.set(module, sender);
    }
    sender.push(datagram);
  }

  /** Sends what is queued. */
  flush(): void {
    for (const sender of this.#senders.values()) sender.flush();
  }

  [Symbol.dispose](): void {
    for (const sender of this.#senders.values()) sender[Symbol.dispose]();
  }
}
