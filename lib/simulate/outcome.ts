import { planFaults } from "./fault_plan.ts";
import type { FrameSchedule } from "./fault_plan.ts";
import { ReassemblyModel, type ReceiverRules, receiverRules } from "./reassembly_model.ts";
import { isFaultFree, type Simulation, SimulationError } from "./simulation.ts";

/** What std-daq must count for a simulation, if the network loses nothing. */
export interface Outcome {
  /** Datagrams generated, the dropped ones included: the sum of the next six. */
  readonly sent: number;
  /** Datagrams that are part of a frame. */
  readonly accepted: number;
  /** Packets that were there already. */
  readonly duplicate: number;
  /** Packets of frames that had closed without them. */
  readonly late: number;
  /** Datagrams of a wrong length, version or packet number. */
  readonly malformed: number;
  /** Datagrams of another detector or module. */
  readonly foreign: number;
  /** Datagrams that were generated and never sent. */
  readonly lost: number;
  /** Malformed ones whose header names a frame that misses them. */
  readonly damaged: number;
  /** Packets never generated, because their module was silent. */
  readonly stalled: number;
  /** Frames closed with all their packets, over all modules. */
  readonly framesGood: number;
  /** Frames closed with packets missing. */
  readonly framesIncomplete: number;
  /** Images of which at least one module sent something. */
  readonly images: number;
  /** Images with all packets of all modules. */
  readonly imagesGood: number;
  /** Images with packets or whole modules missing. */
  readonly imagesIncomplete: number;
  /** Missing packets of every incomplete image, those of absent modules included. */
  readonly missingPacketsPerImage: ReadonlyMap<bigint, number>;
  /** Modules of which nothing came, of every image that lacks one. */
  readonly missingModulesPerImage: ReadonlyMap<bigint, number>;
}

/** Adds up what is sent and what a receiver must make of it. */
export class OutcomeCounter {
  readonly #simulation: Simulation;
  readonly #rules: ReceiverRules;
  readonly #models: ReassemblyModel[];
  readonly #images = new Map<number, { modules: number; missing: number }>();
  #sent = 0;
  #lost = 0;
  #stalled = 0;
  #cleanFrames = 0;
  #framesGood = 0;
  #framesIncomplete = 0;
  #imagesGood = 0;

  /**
   * Nothing counted yet.
   *
   * @param rules The receiver's rules. Default: std_udp_recv's with the same config.
   */
  constructor(
    simulation: Simulation,
    rules: ReceiverRules = receiverRules(simulation.config, simulation.format),
  ) {
    this.#simulation = simulation;
    this.#rules = rules;
    this.#models = simulation.modules.map(() =>
      new ReassemblyModel(rules, ({ frame, missing }) => this.#closeFrame(frame, missing))
    );
  }

  /** Counts the next frame of all modules, sent as it is. Not to be mixed with schedules. */
  addCleanFrame(): void {
    this.#cleanFrames++;
  }

  /**
   * Counts a schedule that was sent.
   *
   * @param index Which of the simulation's modules sent it.
   */
  addSchedule(index: number, schedule: FrameSchedule): void {
    const model = this.#models[index];
    if (model === undefined) throw new RangeError(`the simulation has no module number ${index}`);
    this.#sent += schedule.datagrams.length + schedule.dropped;
    this.#lost += schedule.dropped;
    this.#stalled += schedule.stalled;
    for (const datagram of schedule.datagrams) model.receive(datagram);
  }

  /** Counts packets that will never be sent because the run has ended. */
  addHeldBack(packets: number): void {
    this.#sent += packets;
    this.#lost += packets;
  }

  /** The sums; nothing can be added afterwards. */
  finish(): Outcome {
    for (const model of this.#models) model.finish();
    return this.#addCleanFrames(this.#scheduledOutcome());
  }

  #closeFrame(frame: number, missing: number): void {
    if (missing === 0) this.#framesGood++;
    else this.#framesIncomplete++;
    const image = this.#images.get(frame) ?? { modules: 0, missing: 0 };
    image.modules++;
    image.missing += missing;
    if (image.modules === this.#simulation.config.n_modules && image.missing === 0) {
      this.#images.delete(frame);
      this.#imagesGood++;
    } else this.#images.set(frame, image);
  }

  #scheduledOutcome(): Outcome {
    const { config, firstImageId } = this.#simulation;
    const missingPackets = new Map<bigint, number>();
    const missingModules = new Map<bigint, number>();
    for (const [frame, image] of [...this.#images].sort(([a], [b]) => a - b)) {
      const absent = config.n_modules - image.modules;
      const imageId = firstImageId + BigInt(frame);
      missingPackets.set(imageId, image.missing + absent * this.#rules.packetsPerFrame);
      if (absent > 0) missingModules.set(imageId, absent);
    }
    const sum = (name: keyof ReassemblyModel["counts"]): number =>
      this.#models.reduce((total, model) => total + model.counts[name], 0);
    return {
      sent: this.#sent,
      accepted: sum("accepted"),
      duplicate: sum("duplicate"),
      late: sum("late"),
      malformed: sum("malformed"),
      foreign: sum("foreign"),
      lost: this.#lost,
      damaged: sum("damaged"),
      stalled: this.#stalled,
      framesGood: this.#framesGood,
      framesIncomplete: this.#framesIncomplete,
      images: this.#imagesGood + this.#images.size,
      imagesGood: this.#imagesGood,
      imagesIncomplete: this.#images.size,
      missingPacketsPerImage: missingPackets,
      missingModulesPerImage: missingModules,
    };
  }

  #addCleanFrames(outcome: Outcome): Outcome {
    const { config, modules, firstImageId } = this.#simulation;
    const images = this.#cleanFrames;
    if (images === 0) return outcome;
    const packets = images * modules.length * this.#rules.packetsPerFrame;
    const absent = config.n_modules - modules.length;
    const perImage = (value: number): Map<bigint, number> =>
      new Map(
        Array.from(
          { length: absent > 0 ? images : 0 },
          (_, i) => [firstImageId + BigInt(i), value],
        ),
      );
    return {
      ...outcome,
      sent: packets,
      accepted: packets,
      framesGood: images * modules.length,
      images,
      imagesGood: absent === 0 ? images : 0,
      imagesIncomplete: absent === 0 ? 0 : images,
      missingPacketsPerImage: perImage(absent * this.#rules.packetsPerFrame),
      missingModulesPerImage: perImage(absent),
    };
  }
}

/**
 * What std-daq must count for a whole simulation, without sending anything.
 *
 * @param rules The receiver's rules. Default: std_udp_recv's with the same config.
 * @throws {SimulationError} If the simulation is endless.
 */
export function expectedOutcome(simulation: Simulation, rules?: ReceiverRules): Outcome {
  if (simulation.images === Infinity) {
    throw new SimulationError("an endless simulation has no outcome; give a number of images");
  }
  const counter = new OutcomeCounter(simulation, rules);
  if (isFaultFree(simulation)) {
    for (let frame = 0; frame < simulation.images; frame++) counter.addCleanFrame();
  } else {
    simulation.modules.forEach((module, index) => {
      for (const schedule of planFaults(simulation, module)) counter.addSchedule(index, schedule);
    });
  }
  return counter.finish();
}

/** An outcome as JSON has it: maps become objects. */
export function outcomeJson(outcome: Outcome): Record<string, unknown> {
  const entries = (map: ReadonlyMap<bigint, number>): Record<string, number> =>
    Object.fromEntries([...map].map(([id, value]) => [String(id), value]));
  return {
    ...outcome,
    missingPacketsPerImage: entries(outcome.missingPacketsPerImage),
    missingModulesPerImage: entries(outcome.missingModulesPerImage),
  };
}
