/** What another attempt may mend, and the time until it. */
import { AMQPError } from "rabbitmq-client";

/** First and longest pause between attempts, ms. */
export const RETRY_FIRST_MS = 100;
/** Longest pause between attempts, ms. */
export const RETRY_MOST_MS = 5_000;

/** What another attempt does not change. */
const PERMANENT = new Set([
  "ACCESS_REFUSED",
  "NOT_ALLOWED",
  "PRECONDITION_FAILED",
  "INVALID_PATH",
  "NOT_IMPLEMENTED",
  "CODEC", // it does not fit into a frame
]);

/** Whether the broker would refuse again, or the message cannot be written as AMQP at all. */
export function isPermanent(error: unknown): boolean {
  if (error instanceof RangeError) return true; // a number beyond its form, or too deep
  return error instanceof AMQPError && PERMANENT.has(error.code);
}

/** Whether the broker has said no to this very message: a queue for it is full and rejects what comes. */
export function isRejected(error: unknown): boolean {
  return error instanceof AMQPError && error.code === "NACK";
}

/** Whether the broker's certificate is not trusted: another attempt does not change that either. */
export function isUntrusted(error: unknown): boolean {
  return /certificate/i.test(textOf(error));
}

/** What was thrown, in words, without what the library puts before those of the broker. */
export function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^undefined: /, "").replace(/\.$/, "");
}

/** The promise's value; rejects with the signal's reason when that comes first. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** The pause after so many attempts in vain. */
export async function pause(attempts: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const ms = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempts, 10), RETRY_MOST_MS);
  const timer = setTimeout(resolve, ms);
  try {
    await untilAborted(promise, signal);
  } finally {
    clearTimeout(timer);
  }
}
