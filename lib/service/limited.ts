import type { Logger, LogLevel } from "./logging.ts";

/** A logger that lets only so many lines a second through. */
export interface LimitedLogger {
  /** Logs, or counts it as suppressed. `message` is a template as for `Logger`. */
  log(
    level: Exclude<LogLevel, "trace">,
    message: string,
    properties?: Record<string, unknown>,
  ): void;
  /** Says now how many lines were suppressed since the last one written; silent when none was. */
  flush(): void;
}

interface Limiter extends LimitedLogger {
  readonly logger: Logger;
}

const limiters = new Map<string, Limiter>();

/**
 * The rate-limited logger of a key: for what can happen with every packet. A line that comes through after
 * others were held back carries `suppressed`, how many; the rest is told by {@link flushLimited} when
 * the service stops, so that no occurrence goes unmentioned.
 *
 * @param logger Where lines go.
 * @param key What is limited together, e.g. `malformed`. The same key gives the same limiter.
 * @param perSecond Lines a second; also the largest burst (at least one).
 * @param now Clock, ms.
 */
export function limited(
  logger: Logger,
  key: string,
  perSecond: number,
  now: () => number = () => performance.now(),
): LimitedLogger {
  const known = limiters.get(key);
  if (known?.logger === logger) return known;

  const burst = Math.max(1, perSecond);
  let tokens = burst;
  let refilled = now();
  let suppressed = 0;
  let last: { level: Exclude<LogLevel, "trace">; message: string } | undefined;

  const limiter: Limiter = {
    logger,
    log(level, message, properties = {}): void {
      const time = now();
      tokens = Math.min(burst, tokens + (time - refilled) * perSecond / 1000);
      refilled = time;
      last = { level, message };
      if (tokens < 1) {
        suppressed++;
        return;
      }
      tokens--;
      logger[level](message, suppressed === 0 ? properties : { ...properties, suppressed });
      suppressed = 0;
    },
    flush(): void {
      if (suppressed === 0 || last === undefined) return;
      logger[last.level]("{suppressed} more lines of {key} were suppressed", { suppressed, key });
      suppressed = 0;
    },
  };
  limiters.set(key, limiter);
  return limiter;
}

/** Tells what every limiter still holds back. `runService` calls it when a service stops. */
export function flushLimited(): void {
  for (const limiter of limiters.values()) limiter.flush();
}
