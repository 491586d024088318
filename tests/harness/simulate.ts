import assert from "node:assert/strict";
import { permissionsFor, programCall } from "../../lib/service/mod.ts";
import { type Pipeline, ROOT } from "./pipeline.ts";
import { TestProcess } from "./process.ts";

/** What the simulator says it sent, and what must come of it. */
export interface SimulatorReport {
  sent: number;
  datagrams: number;
  images: number;
  seconds: number;
  expected: {
    sent: number;
    accepted: number;
    duplicate: number;
    late: number;
    malformed: number;
    foreign: number;
    lost: number;
    damaged: number;
    stalled: number;
    framesGood: number;
    framesIncomplete: number;
    images: number;
    imagesGood: number;
    imagesIncomplete: number;
    missingPacketsPerImage: Record<string, number>;
    missingModulesPerImage: Record<string, number>;
  };
}

/**
 * Starts the simulator on the detector of a pipeline.
 *
 * @param options Its options; a `-P=…` among them replaces the permissions that `daq simulate` gives it.
 */
export function startSimulator(pipeline: Pipeline, ...options: string[]): TestProcess {
  const { config, configPath } = pipeline;
  const named = options.filter((option) => option.startsWith("-P="));
  const own = options.filter((option) => !option.startsWith("-P="));
  const { program, args } = programCall({
    name: "udp_simulator",
    main: new URL("../../services/udp_simulator/main.ts", import.meta.url),
    args: [configPath, "--json", ...own],
    permissions: named.length > 0
      ? named
      : permissionsFor("udp_simulator", config, { root: ROOT, configPath }),
  });
  return new TestProcess("udp_simulator", program, args);
}

/** Runs the simulator to its end. */
export async function simulate(
  pipeline: Pipeline,
  ...options: string[]
): Promise<SimulatorReport> {
  await using process = startSimulator(pipeline, ...options);
  return await simulatorReport(process);
}

/** What a simulator says when it ends. */
export async function simulatorReport(process: TestProcess): Promise<SimulatorReport> {
  const { code } = await process.end(120_000);
  assert.equal(code, 0, process.tail());
  const line = process.out.find((text) => text.includes('"event":"sent"'));
  return JSON.parse(line ?? assert.fail(`no report: ${process.tail()}`));
}
