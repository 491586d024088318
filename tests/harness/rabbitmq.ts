import { type Certificates, makeCertificates } from "./certificates.ts";
import { freeTcpPort } from "./free_ports.ts";
import { GuardedServer } from "./guarded_server.ts";
import { serverCall, type ServerSource, sourceOf } from "./server_source.ts";

const USER = "daq-test";

/** What a broker is to have. */
export interface RabbitMqOptions {
  /** Also listen by TLS, with a throw-away certificate, and ask clients for one of the same authority. */
  tls?: boolean;
  /** Where it comes from. Default: what is here. */
  source?: ServerSource;
}

/**
 * A real RabbitMQ on ports of 127.0.0.1 of its own, with a user of its own, its data in a folder of its own
 * and its own epmd (Erlang's port mapper, which would stay behind otherwise). Nothing is left of it when it
 * is disposed of, nor when the test's process dies.
 *
 * A start takes seconds: let all tests of a file share one, with vhosts or tags of their own.
 */
export class RabbitMq implements AsyncDisposable {
  /** The user's password. */
  readonly password: string = crypto.randomUUID();
  /** Files for TLS, if asked for. */
  readonly certificates: Certificates | undefined;
  readonly #folder: string;
  readonly #source: ServerSource;
  readonly #ports: { amqp: number; tls: number; distribution: number; epmd: number };
  #epmd: GuardedServer | undefined;
  #server: GuardedServer | undefined;

  private constructor(
    folder: string,
    certificates: Certificates | undefined,
    source: ServerSource,
  ) {
    this.#folder = folder;
    this.#source = source;
    this.certificates = certificates;
    const [amqp, tls, distribution, epmd] = [
      freeTcpPort(),
      freeTcpPort(),
      freeTcpPort(),
      freeTcpPort(),
    ];
    this.#ports = { amqp, tls, distribution, epmd };
  }

  /** Starts one, empty. */
  static async start(
    { tls = false, source = sourceOf("rabbitmq") }: RabbitMqOptions = {},
  ): Promise<RabbitMq> {
    const folder = await Deno.makeTempDir({ prefix: "std-daq-rabbitmq-" });
    try {
      const certificates = tls ? await makeCertificates(folder) : undefined;
      const rabbit = new RabbitMq(folder, certificates, source);
      await rabbit.#configure();
      await rabbit.resume();
      return rabbit;
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** The user that may do everything. */
  get user(): string {
    return USER;
  }

  /** Port of AMQP. */
  get port(): number {
    return this.#ports.amqp;
  }

  /** Where it is, with its user and password. */
  get url(): string {
    return `amqp://${USER}:${this.password}@127.0.0.1:${this.#ports.amqp}`;
  }

  /** Likewise by TLS. */
  get tlsUrl(): string {
    return `amqps://${USER}:${this.password}@localhost:${this.#ports.tls}`;
  }

  /** Stops it; durable queues and their messages stay for `resume`. */
  async halt(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
    await this.#epmd?.[Symbol.asyncDispose]();
    this.#epmd = undefined;
  }

  /** Starts it again after `halt`, at the same address. */
  async resume(): Promise<void> {
    const epmdPort = String(this.#ports.epmd);
    // Started by us, it is our child; the broker would start it as a daemon that outlives it.
    this.#epmd = await GuardedServer.start("epmd", {
      ...serverCall("rabbitmq", this.#source, {
        program: "epmd",
        args: ["-d", "-d", "-address", "127.0.0.1", "-port", epmdPort],
        folder: this.#folder,
      }),
      ready: /entering the main select\(\) loop/,
    });
    try {
      const env = this.#environment(epmdPort);
      this.#server = await GuardedServer.start("rabbitmq-server", {
        ...serverCall("rabbitmq", this.#source, {
          environment: Object.keys(env),
          folder: this.#folder,
        }),
        env,
        orphaned: this.#folder,
        ready: /completed with \d+ plugins/,
      });
    } catch (error) {
      await this.halt();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.halt();
    await Deno.remove(this.#folder, { recursive: true });
  }

  #environment(epmdPort: string): Record<string, string> {
    const folder = this.#folder;
    return {
      HOME: folder, // the cluster's cookie
      ERL_EPMD_PORT: epmdPort,
      RABBITMQ_NODENAME: `daq-test-${this.#ports.amqp}@localhost`,
      RABBITMQ_DIST_PORT: String(this.#ports.distribution),
      RABBITMQ_MNESIA_BASE: `${folder}/data`,
      RABBITMQ_LOG_BASE: `${folder}/log`,
      RABBITMQ_CONFIG_FILE: `${folder}/rabbitmq.conf`,
      RABBITMQ_CONF_ENV_FILE: `${folder}/none`,
      RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/plugins`,
      // One thread that does not spin: it shares the cores with what is tested.
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none " +
        "-kernel inet_dist_use_interface {127,0,0,1}",
    };
  }

  async #configure(): Promise<void> {
    const lines = [
      `listeners.tcp.default = 127.0.0.1:${this.#ports.amqp}`,
      `default_user = ${USER}`,
      `default_pass = ${this.password}`,
      "log.file = false",
      "log.console = true",
      "log.console.level = error",
      "disk_free_limit.absolute = 1MB",
      "vm_memory_high_watermark.absolute = 1GB",
    ];
    if (this.certificates !== undefined) {
      const { ca, cert, key } = this.certificates;
      lines.push(
        `listeners.ssl.default = 127.0.0.1:${this.#ports.tls}`,
        `ssl_options.cacertfile = ${ca}`,
        `ssl_options.certfile = ${cert}`,
        `ssl_options.keyfile = ${key}`,
        "ssl_options.verify = verify_peer",
        "ssl_options.fail_if_no_peer_cert = true",
      );
    }
    await Deno.writeTextFile(`${this.#folder}/rabbitmq.conf`, lines.join("\n") + "\n");
    await Deno.writeTextFile(`${this.#folder}/plugins`, "[].\n");
  }
}
