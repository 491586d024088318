/**
 * The services of `daq run` while it runs: started, and started again where another config asks for it.
 *
 * @module
 */
import { changedFields, type DetectorConfig } from "../../lib/config/mod.ts";
import type { RingFit } from "../../lib/ring/mod.ts";
import {
  type ServiceCommand,
  servicesAffectedBy,
  type ServiceUpdate,
  type Supervisor,
} from "../../lib/service/mod.ts";
import { ringNames, socketPaths } from "./pipeline.ts";

/** A pipeline as a config has it. */
export interface PipelinePlan {
  /** The config. */
  config: DetectorConfig;
  /** Slots of its rings. */
  fit: RingFit;
  /** Its services, in the order of their start. */
  commands: ServiceCommand[];
}

/** What a running pipeline works with. */
export interface RunningPipelineOptions {
  supervisor: Supervisor;
  /** Makes the plan of a config, before anything is stopped. */
  plan(config: DetectorConfig): PipelinePlan;
  /** Folder of the ipc sockets. */
  ipcFolder: string;
  /** Removes rings that no process writes. */
  removeRings(names: readonly string[]): void;
  /** Removes a socket that no process serves. */
  removeSocket(path: string): void;
}

/** The services of one detector. */
export class RunningPipeline {
  readonly #options: RunningPipelineOptions;
  #plan: PipelinePlan;
  readonly #rings = new Set<string>();
  readonly #sockets = new Set<string>();

  /** Nothing runs before {@link RunningPipeline.start}. */
  constructor(config: DetectorConfig, options: RunningPipelineOptions) {
    this.#options = options;
    this.#plan = this.#adopt(options.plan(config));
  }

  /** What runs, or is to run. */
  get plan(): PipelinePlan {
    return this.#plan;
  }

  /**
   * Starts all services, one after the other.
   *
   * @param onStart Told of each.
   * @throws {ServiceStartError} If one does not start.
   */
  async start(onStart: (name: string) => void): Promise<void> {
    for (const command of this.#plan.commands) {
      onStart(command.name);
      await this.#options.supervisor.start(command);
    }
  }

  /**
   * Goes over to another config: what it affects is stopped and started again, and so is what did not run.
   *
   * @throws {RingSpaceError} If its rings do not fit: then nothing has changed.
   * @throws {ServiceStartError} If one cannot be loaded: then nothing has changed. If one does not start with
   * the config: then the others run with it.
   */
  async apply(config: DetectorConfig): Promise<ServiceUpdate> {
    const former = this.#plan;
    const next = this.#options.plan(config);
    const affected = new Set<string>(servicesAffectedBy(changedFields(former.config, config)));
    const changed = next.commands.filter((command) => {
      // Who asks for this is not to be stopped by it.
      if (serviceOf(command) === "config_deployer") return false;
      const before = former.commands.find(({ name }) => name === command.name);
      return affected.has(serviceOf(command)) || asText(before) !== asText(command);
    });
    return await this.#options.supervisor.update(
      next.commands,
      new Set(changed.map(({ name }) => name)),
      () => {
        this.#removeLeftovers();
        this.#plan = this.#adopt(next);
      },
    );
  }

  /** Removes all that the services have left; call it when they have ended. */
  removeAll(): void {
    this.#removeLeftovers();
  }

  #removeLeftovers(): void {
    this.#options.removeRings([...this.#rings]);
    this.#sockets.forEach(this.#options.removeSocket);
  }

  /** What another config had is to be removed in the end, too. */
  #adopt(plan: PipelinePlan): PipelinePlan {
    for (const name of ringNames(plan.config)) this.#rings.add(name);
    for (const path of socketPaths(plan.config, this.#options.ipcFolder)) this.#sockets.add(path);
    return plan;
  }
}

/** What makes two commands the same: how long a start may take does not matter once it is over. */
function asText(command: ServiceCommand | undefined): string {
  return JSON.stringify({ ...command, readyWithinMs: undefined });
}

/** The service that a command runs: several writers are one service. */
function serviceOf({ main }: ServiceCommand): string {
  return main.pathname.split("/").at(-2) ?? "";
}
