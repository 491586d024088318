import { freeTcpPort } from "./free_ports.ts";
import { GuardedServer } from "./guarded_server.ts";

/**
 * A real Redis on a port of 127.0.0.1 of its own, with a password of its own and its data in a folder of
 * its own. Nothing is left of it when it is disposed of, nor when the test's process dies.
 */
export class Redis implements AsyncDisposable {
  readonly #port: number;
  readonly #password: string;
  #server: GuardedServer | undefined;

  private constructor(port: number, password: string) {
    this.#port = port;
    this.#password = password;
  }

  /** Starts one, empty. */
  static async start(): Promise<Redis> {
    const redis = new Redis(freeTcpPort(), crypto.randomUUID());
    await redis.resume();
    return redis;
  }

  /** Where it is, with its password. */
  get url(): string {
    return `redis://:${this.#password}@127.0.0.1:${this.#port}`;
  }

  /** Ends it, as a crash of its machine would be seen: what it held is gone. */
  async halt(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  /** Starts it again after `halt`, at the same address. */
  async resume(): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "std-daq-redis-" });
    this.#server = await GuardedServer.start("redis-server", {
      command: [
        "redis-server",
        ...["--bind", "127.0.0.1", "--port", String(this.#port)],
        ...["--requirepass", this.#password, "--dir", folder],
        ...["--save", "", "--appendonly", "no"],
      ],
      folder,
      ready: /Ready to accept connections/,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.halt();
  }
}
