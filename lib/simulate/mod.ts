/**
 * A detector made of arithmetic: images, packets, faults, and what a receiver must make of them. All
 * of it is a function of config, options and seed.
 *
 * @example The image that a simulated detector shows
 * ```ts
 * import { parseConfig } from "@std-daq/std-daq";
 * import { simulateImage } from "@std-daq/std-daq/simulate";
 * import { equal } from "node:assert/strict";
 *
 * const { config } = parseConfig({
 *   detector_name: "JF",
 *   detector_type: "jungfrau-raw",
 *   bit_depth: 16,
 *   n_modules: 1,
 *   image_pixel_height: 512,
 *   image_pixel_width: 1024,
 *   start_udp_port: 50020,
 *   module_positions: { "0": [0, 0, 1023, 511] },
 * });
 * const pixels = simulateImage(config, { pattern: "ramp", images: 10 }, 1n);
 * equal(pixels.length, 512 * 1024);
 * ```
 *
 * @module
 */
export {
  type BadPixelCounts,
  type BadPixels,
  badPixels,
  FORCED_GAIN_CODES,
  type ForcedGain,
} from "./dark.ts";
export { FaultPlan, type FrameSchedule, planFaults } from "./fault_plan.ts";
export { type Datagram, KIND } from "./datagram.ts";
export { expectedOutcome, type Outcome, OutcomeCounter, outcomeJson } from "./outcome.ts";
export { type Pace, PacketSender, type PacketSenderOptions } from "./packet_sender.ts";
export { type Pattern, PATTERNS, type RawPixels } from "./pattern.ts";
export { ReassemblyModel, type ReceiverRules, receiverRules } from "./reassembly_model.ts";
export { type RunOptions, type RunResult, runSimulation } from "./run_simulation.ts";
export { simulateImage } from "./simulate_image.ts";
export {
  createSimulation,
  type FaultRates,
  isFaultFree,
  type Simulation,
  SimulationError,
  type SimulationOptions,
  type Stall,
} from "./simulation.ts";
