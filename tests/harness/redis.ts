import { type Certificates, makeCertificates } from "./certificates.ts";
import { freeTcpPort } from "./free_ports.ts";
import { GuardedServer } from "./guarded_server.ts";
import { serverCall, type ServerSource, sourceOf } from "./server_source.ts";

/** What a Redis is to have. */
export interface RedisOptions {
  /** Also listen by TLS, with a throw-away certificate. */
  tls?: boolean;
  /** Where it comes from. Default: what is here. */
  source?: ServerSource;
}

/**
 * A real Redis on a port of 127.0.0.1 of its own, with a password of its own and its data in a folder of
 * its own. Nothing is left of it when it is disposed of, nor when the test's process dies.
 */
export class Redis implements AsyncDisposable {
  readonly #port: number;
  readonly #tlsPort: number | undefined;
  readonly #password: string;
  readonly #source: ServerSource;
  #certificates: Certificates | undefined;
  #server: GuardedServer | undefined;

  private constructor(port: number, tlsPort: number | undefined, source: ServerSource) {
    this.#port = port;
    this.#tlsPort = tlsPort;
    this.#password = crypto.randomUUID();
    this.#source = source;
  }

  /** Starts one, empty. */
  static async start(
    { tls = false, source = sourceOf("redis") }: RedisOptions = {},
  ): Promise<Redis> {
    const redis = new Redis(freeTcpPort(), tls ? freeTcpPort() : undefined, source);
    await redis.resume();
    return redis;
  }

  /** Where it is, with its password. */
  get url(): string {
    return `redis://:${this.#password}@127.0.0.1:${this.#port}`;
  }

  /** Likewise by TLS, if asked for. */
  get tlsUrl(): string {
    return `rediss://:${this.#password}@localhost:${this.#tlsPort}`;
  }

  /** Files for TLS, if asked for; others after each `resume`. */
  get certificates(): Certificates | undefined {
    return this.#certificates;
  }

  /** Ends it, as a crash of its machine would be seen: what it held is gone. */
  async halt(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  /** Starts it again after `halt`, at the same address. */
  async resume(): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "std-daq-redis-" });
    if (this.#tlsPort !== undefined) this.#certificates = await makeCertificates(folder);
    this.#server = await GuardedServer.start("redis-server", {
      ...serverCall("redis", this.#source, {
        args: [
          ...["--bind", "127.0.0.1", "--port", String(this.#port)],
          ...["--requirepass", this.#password, "--dir", folder],
          ...["--save", "", "--appendonly", "no"],
          ...this.#tlsArguments(),
        ],
        folder,
      }),
      folder,
      ready: /Ready to accept connections/,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.halt();
  }

  #tlsArguments(): string[] {
    if (this.#certificates === undefined) return [];
    const { ca, cert, key } = this.#certificates;
    return [
      ...["--tls-port", String(this.#tlsPort), "--tls-auth-clients", "no"],
      ...["--tls-ca-cert-file", ca, "--tls-cert-file", cert, "--tls-key-file", key],
    ];
  }
}
