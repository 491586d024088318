/**
 * Takes up configs: checks each, writes the file, has services started again, and says how it went.
 *
 * @module
 */
import {
  changedFields,
  ConfigError,
  type DetectorConfig,
  parseConfig,
  parseConfigText,
} from "../../lib/config/mod.ts";
import { parseJson } from "../../lib/protocol/json.ts";
import { type ConfigText, type Deployment, type Store, StoreError } from "../../lib/store/mod.ts";
import type { ConfigFile } from "./config_file.ts";
import type { Restarted, Restarter } from "./restarter.ts";
import type { Gate } from "./run_gate.ts";

/** `detail` is for people: a config with thousands of errors does not fill the store. */
const LONGEST_DETAIL = 16_384;

/** What a deployer works with. */
export interface DeployerOptions {
  /** This server's name in deployments. */
  server: string;
  store: Pick<Store, "watchConfig" | "addDeployment" | "deployments">;
  file: ConfigFile;
  gate: Gate;
  restarter: Restarter;
  /** Told of each step, and of warnings. */
  onNote(level: "info" | "warning" | "error", message: string): void;
}

/** Keeps the file of a server and its services at the current config of the store. */
export class Deployer {
  readonly #options: DeployerOptions;
  #state = "waits for a config";
  /** Whether services may run with another config than the file's: all are started again then. */
  #unsettled = false;

  constructor(options: DeployerOptions) {
    this.#options = options;
  }

  /** What it did last, in a few words. */
  get state(): string {
    return this.#state;
  }

  /** Takes up the current config and each later one, one after the other, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const ended = AbortSignal.any([signal, failed.signal]);
    let newer = new AbortController();
    let working = Promise.resolve();
    for await (const config of this.#options.store.watchConfig(ended)) {
      newer.abort(new Error(`withdrawn: config ${config.id} came before this one was put to use`));
      newer = new AbortController();
      const superseded = newer.signal;
      working = working.then(() => this.#takeUp(config, ended, superseded))
        .catch((error) => failed.abort(error));
    }
    await working;
    failed.signal.throwIfAborted();
  }

  /** Deploys a config, unless that was done before. */
  async #takeUp(config: ConfigText, signal: AbortSignal, superseded: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const last = await this.#lastSaid(config);
    // Whoever said this last was ended before it could say more: perhaps between the file and its services.
    if (last === "Deploying") this.#unsettled = true;
    if (last === "Done" && this.#isInFile(config)) this.#state = `config ${config.id}: Done`;
    else await this.deploy(config, signal, superseded);
  }

  /**
   * Takes up one config; whatever goes wrong is reported.
   *
   * @param signal Ends it, without a word.
   * @param superseded Gives it up for the reason that it has, until the file is written.
   */
  async deploy(
    { id, text }: ConfigText,
    signal: AbortSignal,
    superseded: AbortSignal,
  ): Promise<void> {
    const { file, gate, restarter, onNote } = this.#options;
    const start = performance.now();
    const waiting = AbortSignal.any([signal, superseded]);
    try {
      waiting.throwIfAborted();
      this.#report(id, "Deploying");
      const { config: next, warnings } = parseConfigText(text, id);
      for (const warning of warnings) onNote("warning", `config ${id}: ${warning}`);
      const config = parseJson(text.replace(/^\uFEFF/, ""));
      refuseOthers(next, configOf(file.read()));
      using _closed = await gate.close(next.detector_name, waiting);
      await restarter.check(signal);
      waiting.throwIfAborted();
      const former = file.read();
      const fields = this.#unsettled
        ? Object.keys(next)
        : changedFields(withDefaults(former), next);
      file.write(config);
      this.#unsettled = true;
      const restarted = await restarter.restart(fields, signal).catch(async (error) => {
        signal.throwIfAborted();
        throw await this.#goBack(former, fields, reasonOf(error), signal);
      });
      this.#unsettled = false;
      this.#report(id, "Done", describe(restarted, performance.now() - start));
    } catch (error) {
      if (signal.aborted) return; // whoever comes after us takes it up
      this.#report(id, "Error", reasonOf(error));
    }
  }

  /**
   * Restores the former config, which services ran with, after they did not start with the next one.
   *
   * @param reason Why they did not.
   * @returns That reason, and how the way back went.
   */
  async #goBack(
    former: unknown,
    fields: readonly string[],
    reason: string,
    signal: AbortSignal,
  ): Promise<Error> {
    if (fields.length === 0 || configOf(former) === undefined) {
      return new Error(`${reason}; there is no former config to go back to`);
    }
    const { file, restarter } = this.#options;
    try {
      file.write(former);
      await restarter.restart(fields, signal);
      this.#unsettled = false;
      return new Error(`${reason}; the former config is back and its services run`);
    } catch (error) {
      signal.throwIfAborted();
      return new Error(`${reason}; nor do they run with the former config: ${reasonOf(error)}`);
    }
  }

  /** What was last said of the config, for this server; undefined if nothing is known of it. */
  async #lastSaid({ id }: ConfigText): Promise<Deployment["message"] | undefined> {
    const { store, server, onNote } = this.#options;
    try {
      const said = await store.deployments(id);
      return said.find(({ value }) => value.server_name === server)?.value.message;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      onNote("warning", `config ${id} is taken up again, to be sure: ${error.message}`);
      return undefined;
    }
  }

  /** Whether the file is still as the config has it. */
  #isInFile({ text }: ConfigText): boolean {
    const config = parseJson(text.replace(/^\uFEFF/, ""));
    return changedFields(this.#options.file.read(), config).length === 0;
  }

  /** Nothing waits for the store: what it cannot take yet, it takes later, in order. */
  #report(id: string, message: Deployment["message"], detail?: string): void {
    const { server, store, onNote } = this.#options;
    this.#state = `config ${id}: ${message}`;
    onNote(
      message === "Error" ? "error" : "info",
      `config ${id}: ${message}${detail === undefined ? "" : `: ${detail}`}`,
    );
    store.addDeployment(id, {
      server_name: server,
      message,
      ...(detail !== undefined && { detail: detail.slice(0, LONGEST_DETAIL) }),
    }).catch((error) => onNote("error", `the store refused a report: ${error}`));
  }
}

/** @throws {Error} If a config is another detector's than the one of the file. */
function refuseOthers(next: DetectorConfig, former: DetectorConfig | undefined): void {
  const { detector_name } = next;
  if (former === undefined || former.detector_name === detector_name) return;
  throw new Error(
    `it is the config of ${detector_name}, and this server is ${former.detector_name}'s. Give each ` +
      "detector a store of its own, such as another database or namespace of a Redis that they share. " +
      "If the detector has another name now, change detector_name in the server's file first",
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What was started again, and how long it took, for people. */
function describe({ services, awayMs }: Restarted, tookMs: number): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
  const ready = `ready after ${seconds(tookMs)}`;
  if (services.length === 0) return `nothing to start again; ${ready}`;
  const away = awayMs === undefined ? "" : `, away for ${seconds(awayMs)} of it`;
  return `${services.join(", ")}; ${ready}${away}`;
}

/** The config with its defaults, so that one that is spelled out is no change; as it is where it is none. */
function withDefaults(config: unknown): unknown {
  return configOf(config) ?? config;
}

/** The config, checked; undefined where it is none. */
function configOf(config: unknown): DetectorConfig | undefined {
  try {
    return parseConfig(config).config;
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
