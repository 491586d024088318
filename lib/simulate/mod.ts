/**
 * A detector made of arithmetic: images, packets, faults, and what a receiver must make of them. All
 * of it is a function of config, options and seed.
 *
 * @module
 */
export { FaultPlan, type FrameSchedule, planFaults } from "./fault_plan.ts";
export { type Datagram, KIND } from "./datagram.ts";
export { expectedOutcome, type Outcome, OutcomeCounter, outcomeJson } from "./outcome.ts";
export { PacketSender, type PacketSenderOptions } from "./packet_sender.ts";
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
