import { bracketed, netAddress } from "../host/net_permission.ts";
import { reasonOf } from "../validation/mod.ts";
import { BrokerError, BrokerUsageError } from "./broker_error.ts";

/** Where RabbitMQ is and how to be let in. */
export interface BrokerOptions {
  /** Host name or address. */
  hostname: string;
  /** Port of AMQP 0-9-1. */
  port: number;
  /** User. */
  username: string;
  /** Password. */
  password: string;
  /** Virtual host. */
  vhost: string;
  /** A connection over which nothing has come for twice as long is given up, s. Default 10. */
  heartbeatS?: number;
  /** By TLS: what to trust and how to show who we are. Without it, in the clear. */
  tls?: BrokerTls;
}

/** How to speak TLS; all PEM. */
export interface BrokerTls {
  /** Authority that signed the broker's certificate; default: those that the system trusts. */
  ca?: string;
  /** Our certificate, where the broker asks for one. */
  cert?: string;
  /** Its private key. */
  key?: string;
}

/** Variables that {@link resolveBroker} reads: what passes them on must know them all. */
export const BROKER_VARIABLES = [
  "BROKER_URL",
  "BROKER_HOST",
  "BROKER_USER",
  "BROKER_PASSWORD",
  "BROKER_PASSWORD_FILE",
  "BROKER_CA_FILE",
  "BROKER_CERT_FILE",
  "BROKER_KEY_FILE",
] as const;

/** Where {@link resolveBroker} looks. */
export interface BrokerSources {
  /** Address on the command line: `amqp[s]://[user[:password]@]host[:port][/vhost][?heartbeat=s]`. */
  url?: string | undefined;
  /** Reads an environment variable; default: there are none. */
  env?: (name: string) => string | undefined;
  /** Reads a file that a variable names; default: `Deno.readTextFileSync`. */
  readFile?: (path: string) => string;
}

/**
 * Finds out where the broker is: the URL given, else BROKER_URL, else BROKER_HOST, else this machine, as
 * guest. What the URL leaves open comes from BROKER_USER, BROKER_PASSWORD or BROKER_PASSWORD_FILE; for
 * `amqps:` BROKER_CA_FILE, BROKER_CERT_FILE and BROKER_KEY_FILE name PEM files.
 *
 * @throws {BrokerUsageError} If the URL is none or has a stray %.
 * @throws {BrokerError} If a file cannot be read.
 */
export function resolveBroker(sources: BrokerSources = {}): BrokerOptions {
  const { env = () => undefined, readFile = Deno.readTextFileSync } = sources;
  const file = (variable: string): string | undefined => {
    const path = env(variable);
    if (path === undefined) return undefined;
    try {
      return readFile(path);
    } catch (cause) {
      throw new BrokerError(unreadable(variable, path, cause), { cause });
    }
  };
  const given = brokerAddress(sources) ?? "amqp://127.0.0.1";
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^amqps?:$/.test(url.protocol) || url.hostname === "") {
    throw new BrokerUsageError(
      `broker address ${hidePassword(given)} is none; ` +
        "give one such as amqp://user:password@host:5672/vhost, or amqps:// for TLS",
    );
  }
  const secure = url.protocol === "amqps:";
  const password = decoded(url.password, "password") || env("BROKER_PASSWORD") ||
    file("BROKER_PASSWORD_FILE")?.replace(/\r?\n[^]*$/, "");
  const [ca, cert, key] = secure
    ? [file("BROKER_CA_FILE"), file("BROKER_CERT_FILE"), file("BROKER_KEY_FILE")]
    : [];
  return {
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 5671 : 5672) : Number(url.port),
    username: decoded(url.username, "user") || env("BROKER_USER") || "guest",
    password: password || "guest",
    vhost: decoded(url.pathname.slice(1), "vhost") || "/",
    ...heartbeat(url),
    ...(secure && {
      tls: {
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
      },
    }),
  };
}

/** The address that is given: the URL, else BROKER_URL, else BROKER_HOST; undefined when none is. */
export function brokerAddress({ url, env = () => undefined }: BrokerSources): string | undefined {
  const host = env("BROKER_HOST");
  return url ?? env("BROKER_URL") ?? (host === undefined ? undefined : `amqp://${bracketed(host)}`);
}

/**
 * Host and port of the broker at an address, as Deno's `net` permission names them.
 *
 * @throws {BrokerUsageError} If it is no address of a broker.
 */
export function brokerHost(address: string): string {
  const { hostname, port } = resolveBroker({ url: address });
  return netAddress(hostname, port);
}

/** Why a file with a secret or a certificate was not to be had. */
function unreadable(variable: string, path: string, cause: unknown): string {
  return `${variable}: ${path} cannot be read: ${reasonOf(cause)}. ` +
    "Check that it is there, and that this service may read it";
}

/** @throws {BrokerUsageError} If there is a % in it that stands for itself. */
function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    const message = `broker address: a % in its ${what} stands for itself; write it as %25`;
    throw new BrokerUsageError(message, { cause });
  }
}

/** The broker's address for messages: without the password. */
export function describeBroker({ hostname, port, vhost, tls }: BrokerOptions): string {
  const path = vhost === "/" ? "" : `/${encodeURIComponent(vhost)}`;
  return `${tls === undefined ? "amqp" : "amqps"}://${netAddress(hostname, port)}${path}`;
}

/** @throws {BrokerUsageError} If it is no number of seconds. */
function heartbeat(url: URL): Pick<BrokerOptions, "heartbeatS"> {
  const text = url.searchParams.get("heartbeat");
  if (text === null) return {};
  const heartbeatS = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (heartbeatS > 0) return { heartbeatS };
  throw new BrokerUsageError(
    `broker address: heartbeat=${text} is none; expected seconds, 1 or more`,
  );
}

/** Whatever it is, nothing in front of its last `@` is shown but the scheme. */
function hidePassword(url: string): string {
  return url.replace(/^([a-z]+:)?.*@/is, "$1***@");
}
