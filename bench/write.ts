/**
 * Row 4: images from the ring into a file, against nothing but pwrite.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { dataPath, indexPath } from "../lib/ring/mod.ts";
import { compare, type Figure, median } from "./_figure.ts";
import { benchFolder, benchName } from "./_names.ts";
import { MEASURED_CPU, native, readyLine, run, script, start } from "./_run.ts";

const MIB = 2 ** 20;

/** Measures; `rounds` files of each side in turn. */
export async function write(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const disk = await benchFolder();
  try {
    for (const [where, folder] of [["/dev/shm", "/dev/shm"], ["disk, fdatasync", disk]] as const) {
      for (const mib of [1, 8]) {
        figures.push(await writeOne(rounds, where, folder, mib));
      }
    }
  } finally {
    await Deno.remove(disk, { recursive: true });
  }
  return figures;
}

async function writeOne(
  rounds: number,
  where: string,
  folder: string,
  mib: number,
): Promise<Figure> {
  const name = benchName("write");
  const slots = 64 / mib, images = 512 / mib, bytes = mib * MIB;
  const onDisk = folder !== "/dev/shm";
  const sync = onDisk ? ["sync"] : [];
  const output = `${folder}/${name}.bin`;
  const ours: number[] = [], theirs: number[] = [], create: number[] = [];
  try {
    const program = script("write_ours.ts", name, bytes / 2048, slots, images, folder, ...sync);
    await using writer = start(program, { cpu: MEASURED_CPU });
    await readyLine(writer);
    // One round more than counted: the first pays for compiling.
    for (let i = -1; i < rounds; i++) {
      const yardstick = native("write", dataPath(name), bytes, slots, images, output, ...sync);
      const their = await run(yardstick, MEASURED_CPU);
      await writer.say("go");
      const our = JSON.parse((await writer.line()) ?? "{}");
      if (i < 0) continue;
      theirs.push(their.gb_per_s!);
      ours.push(our.gb_per_s);
      create.push(our.create_ms);
    }
    await writer.end();
  } finally {
    for (const path of [dataPath(name), indexPath(name), output]) unlink(path);
    unlink(`${folder}/${name}.h5`);
  }
  return {
    row: "write",
    name: `write ${mib} MiB images to ${where}`,
    unit: "GB/s",
    ...compare(ours, theirs),
    ...(onDisk ? {} : { floor: { of: "ratio", sense: "at least", limit: 0.9 } as const }),
    note: `creating the file ${median(create).toFixed(1)} ms`,
  };
}
