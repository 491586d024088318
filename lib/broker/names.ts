import { describeValue } from "../validation/mod.ts";
import { BrokerUsageError } from "./broker_error.ts";

/** Longest name in AMQP, bytes: what is longer is cut unseen. */
const MAX_NAME_BYTES = 255;

/** What a name is of. */
type NameKind = "service name" | "tag" | "queue" | "request id" | "primary service";

/**
 * Checks a name before it goes to RabbitMQ.
 *
 * @param kind What it names, for the error.
 * @returns The name.
 * @throws {BrokerUsageError} If it is empty, longer than 255 bytes in UTF-8, or has white space or characters that
 * cannot be shown; a queue also if it begins with `amq.`, which RabbitMQ keeps to itself.
 */
export function checkName(kind: NameKind, name: string): string {
  const wrong = problemOf(kind, name);
  if (wrong === undefined) return name;
  throw new BrokerUsageError(`${kind} ${describeValue(name)} ${wrong}`);
}

function problemOf(kind: NameKind, name: string): string | undefined {
  if (name === "") return `is empty: give one${EXAMPLES[kind]}`;
  const bytes = new TextEncoder().encode(name).length;
  if (bytes > MAX_NAME_BYTES) {
    return `has ${bytes} bytes, expected at most ${MAX_NAME_BYTES}: shorten it`;
  }
  // Ids are the senders' own: whatever can be sent.
  if (kind !== "request id" && /[\s\p{C}]/u.test(name)) {
    return "has white space or characters that cannot be shown: leave them out";
  }
  if (kind === "queue" && name.startsWith("amq.")) {
    return "begins with amq., which RabbitMQ keeps to itself: give it another name";
  }
  return undefined;
}

const EXAMPLES: Record<NameKind, string> = {
  "service name": " such as psi.tomcat.writer",
  "tag": " such as psi.tomcat.writer; # is all",
  "queue": ", or none",
  "request id": " such as a UUID",
  "primary service": ", the name of the service to follow",
};
