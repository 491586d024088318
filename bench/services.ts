/**
 * Row 6: what services cost: time to start, memory, and CPU time per image as modules grow.
 *
 * @module
 */
import { imageBytes } from "../lib/config/mod.ts";
import { detectorFor } from "../lib/detector/mod.ts";
import { type ServiceName, Supervisor } from "../lib/service/mod.ts";
import type { BenchDetector } from "./_config.ts";
import { type Figure, median } from "./_figure.ts";
import { Pipeline } from "./_pipeline.ts";
import { cpuMicroseconds, ownMemory } from "./_process.ts";
import { freePort, readyLine } from "./_run.ts";

/** Measures; `rounds` starts of each service. */
export async function services(rounds: number): Promise<Figure[]> {
  return [...await starts(rounds), ...await deployments(rounds), ...await costs()];
}

/** A service, and its arguments besides the config. */
type Call = readonly [ServiceName, (folder: string) => string[]];

/** The services of a pipeline, in the order of their start. */
function pipelineCalls(apiPort: number): readonly Call[] {
  return [
    ["std_udp_recv", () => []],
    ["std_assembler", () => []],
    ["std_h5_writer", (folder) => ["0", "--data-root", folder]],
    ["writer_agent", (folder) => ["--port", String(apiPort), "--data-root", folder]],
  ];
}

/** The smallest detector there is. */
const ONE_MODULE = { type: "jungfrau-raw", modules: 1, slots: 16 } as const;

/** All services go over to another config, as `daq run` has them do it: when are they ready again? */
async function deployments(rounds: number): Promise<Figure[]> {
  const apiPort = freePort();
  await using pipeline = await Pipeline.make({ ...ONE_MODULE, port: freePort() });
  await using supervisor = new Supervisor();
  const commands = pipelineCalls(apiPort).map(([service, args]) =>
    pipeline.command(service, args(pipeline.folder), apiPort)
  );
  for (const command of commands) await supervisor.start(command);
  const total: number[] = [], away: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const begin = performance.now();
    const all = new Set(commands.map(({ name }) => name));
    const { awayMs } = await supervisor.update(commands, all, () => pipeline.removeRings());
    total.push((performance.now() - begin) / 1e3);
    away.push(awayMs / 1e3);
  }
  const figure = (name: string, seconds: readonly number[], note: string): Figure => ({
    row: "services",
    name: `deployment of a config, ${name}`,
    unit: "s",
    ours: median(seconds),
    floor: { of: "value", sense: "at most", limit: 2 },
    note: `${note}; longest of ${rounds} ${Math.max(...seconds).toFixed(2)} s`,
  });
  return [
    figure("ready again", away, "all four services; from the stop of the first"),
    figure("from its file to ready again", total, "besides, the new ones load while the old work"),
  ];
}

/** Time to the ready line, and memory of its own at that moment. */
async function starts(rounds: number): Promise<Figure[]> {
  const apiPort = freePort();
  const calls: readonly Call[] = [
    ...pipelineCalls(apiPort),
    ["udp_simulator", () => ["--rate", "1"]],
  ];
  const figures: Figure[] = [];
  for (const [service, args] of calls) {
    const times: number[] = [], memory: number[] = [];
    for (let i = 0; i < rounds; i++) {
      await using pipeline = await Pipeline.make({ ...ONE_MODULE, port: freePort() });
      const begin = performance.now();
      const running = await pipeline.start(service, args(pipeline.folder), { apiPort });
      times.push(performance.now() - begin);
      memory.push(await ownMemory(running.pid));
    }
    figures.push({
      row: "services",
      name: `start of ${service} until ready`,
      unit: "ms",
      ours: median(times),
      note: `${median(memory).toFixed(0)} MB of its own (rings not counted)`,
    });
  }
  return figures;
}

/** A detector whose images are paid for, and the rate at which they come, images/s. */
interface Load {
  name: string;
  detector: Omit<BenchDetector, "detector" | "port">;
  rate: number;
}

const SLOTS = 32;

/** How the cost grows: with modules, then with pixels of the same eight streams. */
const LOADS: readonly Load[] = [
  ...([[1, 400], [8, 100], [72, 10]] as const).map(([modules, rate]): Load => ({
    name: `Eiger 16 bit, ${modules} module${modules > 1 ? "s" : ""}`,
    detector: { type: "eiger", modules, slots: SLOTS },
    rate,
  })),
  ...([[504, 252, 200], [1008, 1008, 100], [2016, 2016, 25]] as const).map((
    [width, height, rate],
  ): Load => ({
    name: `GigaFRoST, ${width} × ${height} px`,
    detector: { type: "gigafrost", modules: 8, slots: SLOTS, size: { width, height } },
    rate,
  })),
];

/** CPU time per image, and memory under load, of receiver and assembler. */
async function costs(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const load of LOADS) figures.push(await cost(load));
  return figures;
}

async function cost({ name, detector, rate }: Load): Promise<Figure> {
  const port = 20_000 + Math.floor(Math.random() * 90) * 100;
  await using pipeline = await Pipeline.make({ ...detector, port });
  const { config } = pipeline;
  const receiver = await pipeline.start("std_udp_recv");
  const assembler = await pipeline.start("std_assembler");
  const pids = [receiver.pid, assembler.pid];
  const images = rate * 4;
  const send = async (n: number): Promise<void> => {
    const args = ["--source-images", "2", "--json", "--images", String(n), "--rate", String(rate)];
    const simulator = pipeline.spawn("udp_simulator", args);
    await readyLine(simulator);
    await simulator.result();
    await pipeline.settled();
  };
  await send(rate); // compiles what is hot
  const before = await Promise.all(pids.map(cpuMicroseconds));
  const good = pipeline.account().images_good;
  await send(images);
  const after = await Promise.all(pids.map(cpuMicroseconds));
  const complete = Number(pipeline.account().images_good - good);
  const [receiving = 0, assembling = 0] = after.map((value, i) => (value - before[i]!) / images);
  const memory = await Promise.all(pids.map(ownMemory));
  const modules = config.n_modules;
  const packets = modules * detectorFor(config).packetFormat(config).packetsPerFrame;
  return {
    row: "services",
    name: `CPU per image, ${name}`,
    unit: "µs",
    ours: receiving + assembling,
    note: `receiver ${receiving.toFixed(0)} µs (${(receiving / packets).toFixed(2)} per packet), ` +
      `assembler ${assembling.toFixed(0)} µs (${(assembling / modules).toFixed(0)} per module), ` +
      `${
        (imageBytes(config) / (receiving + assembling) / 1e3).toFixed(2)
      } GB of image per core and s, ` +
      `${complete} of ${images} images complete at ${rate}/s, ` +
      `memory ${memory.map((mb) => mb.toFixed(0)).join(" + ")} MB`,
  };
}
