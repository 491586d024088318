/**
 * How services come to a config that was just written.
 *
 * @module
 */
import {
  decodeRunAnswer,
  encodeRunMessage,
  type RunRequest,
  type RunState,
} from "../../lib/protocol/mod.ts";
import { servicesAffectedBy } from "../../lib/service/mod.ts";
import { Socket, ZmqError } from "../../lib/zmq/mod.ts";

/** Has services started again. */
export interface Restarter {
  /**
   * Looks whether services can be started again now.
   *
   * @throws {RestartError} If nobody is there to do it, or it would cut a run short.
   */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Has the services take up the config that the file now has.
   *
   * @param fields The fields that have changed.
   * @throws {RestartError} If they cannot, with the reason.
   */
  restart(fields: readonly string[], signal: AbortSignal): Promise<Restarted>;
}

/** What was started again. */
export interface Restarted {
  /** Names of the services. */
  services: readonly string[];
  /** From the stop of the first of them until all were ready again, ms; undefined if nobody can tell. */
  awayMs?: number;
}

/** Services could not be started again. */
export class RestartError extends Error {
  /** The class's name. */
  override readonly name = "RestartError";
}

/** Longest stop and start of all services: `daq run` gives them more time the larger their rings are. */
const APPLY_MS = 1_800_000;
/** Longest stop and start of a service by a command. */
const COMMAND_MS = 120_000;
const ANSWER_MS = 10_000;

/** Through `daq run`, which knows which services a config affects, and when they are ready again. */
export class RunRestarter implements Restarter {
  readonly #address: string;

  /** @param address Where `daq run` is asked, `ipc://…-run`. */
  constructor(address: string) {
    this.#address = address;
  }

  async check(signal: AbortSignal): Promise<void> {
    const { acquiring } = await this.#ask({ command: "status" }, ANSWER_MS, signal);
    if (acquiring) throw new RestartError("a run has begun meanwhile; deploy the config again");
  }

  async restart(_fields: readonly string[], signal: AbortSignal): Promise<Restarted> {
    const { restarted, away_ms } = await this.#ask({ command: "apply" }, APPLY_MS, signal);
    return { services: restarted, awayMs: away_ms };
  }

  async #ask(request: RunRequest, timeoutMs: number, signal: AbortSignal): Promise<RunState> {
    using socket = new Socket("REQ", { immediate: true });
    socket.connect(this.#address);
    try {
      await socket.send(encodeRunMessage(request), { signal, timeoutMs: ANSWER_MS });
      const [bytes] = await socket.receive({ signal, timeoutMs });
      const answer = decodeRunAnswer(bytes ?? new Uint8Array());
      if (answer.status === "ok") return answer.run;
      throw new RestartError(answer.message);
    } catch (cause) {
      if (!(cause instanceof ZmqError && cause.code === "ETIMEDOUT")) throw cause;
      throw new RestartError(`no answer from daq run at ${this.#address}: start it`, { cause });
    }
  }
}

/** By a program for each affected service, such as `systemctl try-restart {service}@JF.service`. */
export class CommandRestarter implements Restarter {
  readonly #command: readonly string[];
  readonly #limitMs: number;

  /**
   * @param command Program and arguments; `{service}` in them is replaced. No shell sees them.
   * @param limitMs Longest time for one service.
   */
  constructor(command: readonly string[], limitMs = COMMAND_MS) {
    this.#command = command;
    this.#limitMs = limitMs;
  }

  /** The command tells by its failure. */
  check(_signal: AbortSignal): Promise<void> {
    return Promise.resolve();
  }

  async restart(fields: readonly string[], signal: AbortSignal): Promise<Restarted> {
    const services = servicesAffectedBy(fields);
    for (const service of services) {
      signal.throwIfAborted();
      await this.#run(this.#command.map((word) => word.replaceAll("{service}", service)), signal);
    }
    return { services };
  }

  async #run(words: readonly string[], signal: AbortSignal): Promise<void> {
    const [program = "", ...args] = words;
    const limit = AbortSignal.timeout(this.#limitMs);
    const { success, code, stderr } = await new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal: AbortSignal.any([signal, limit]), // SIGTERM
    }).output();
    if (success) return;
    signal.throwIfAborted();
    const said = new TextDecoder().decode(stderr).trim();
    throw new RestartError(
      `${words.join(" ")} ` +
        (limit.aborted
          ? `has not ended within ${this.#limitMs / 1000} s`
          : `ended with status ${code}: ${said || "it said nothing"}`),
    );
  }
}
