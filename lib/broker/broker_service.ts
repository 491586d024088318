import type { RequestCounts } from "./service_options.ts";

/** What does a service's work. */
interface Core {
  readonly runner: { readonly running: string[]; readonly counts: RequestCounts };
  readonly isConnected: boolean;
  refuse(): void;
  stop(): Promise<void>;
}

/** A service at RabbitMQ: what primary and post-processing services have in common once they run. */
export abstract class BrokerService implements AsyncDisposable {
  readonly #core: Core;

  /**
   * For the kinds of services.
   *
   * @ignore
   */
  protected constructor(core: Core) {
    this.#core = core;
  }

  /** Ids of the requests that are being carried out. */
  get running(): string[] {
    return this.#core.runner.running;
  }

  /** How the requests since the start have ended. */
  get counts(): RequestCounts {
    return this.#core.runner.counts;
  }

  /** Whether the broker is there right now; a lost connection is tried again for ever. */
  get isConnected(): boolean {
    return this.#core.isConnected;
  }

  /**
   * The first half of {@link BrokerService.stop}, at once: no more requests are taken, and what runs is aborted.
   * For a service that has to finish something before it waits for what is to be told.
   */
  refuse(): void {
    this.#core.refuse();
  }

  /**
   * Aborts what runs, which ends as failed, and disconnects. Requests that wait in a queue of this service's
   * own fail, too: it goes with the connection. Those in a named queue stay there, for other instances.
   */
  async stop(): Promise<void> {
    await this.#core.stop();
  }

  /** As {@link stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
