/**
 * The hands of the assembler: kernels on memories that hold frame rings and the image ring.
 *
 * @module
 */
import { type Bank, BANKS, type ModuleMaps } from "./calibration_maps.ts";
import {
  instantiateKernels,
  type InvalidPixels,
  JungfrauCorrector,
  type KernelExports,
  trackPedestal,
} from "../kernels/mod.ts";
import { File, mapFixed, PAGE_BYTES } from "../os/mod.ts";
import { dataPath, LARGEST_MEMORY, mapSlots, SharedMemory, slotMemoryBytes } from "../ring/mod.ts";
import { blankModule, convertModule, type ModuleWork, scratchBytes } from "./convert_module.ts";

/** Most bytes of frame rings, and of image slots, in one memory. */
const LARGEST_SHARE = LARGEST_MEMORY / 2 - 2 ** 24;

/** A ring as the converter needs it. */
export interface ConverterRing {
  name: string;
  slotBytes: number;
  slots: number;
}

/** What a converter works on: cloneable, so that it can be sent to a Worker. */
export interface ConverterSetup {
  image: ConverterRing;
  /** Modules this converter is for. */
  modules: ModuleSetup[];
}

/** One module: its frames, and what is to be made of them. */
export interface ModuleSetup extends ModuleWork {
  module: number;
  ring: ConverterRing;
}

/** One memory with a share of the modules' rings and a share of the image's slots. */
interface Cell {
  memory: SharedMemory;
  kernels: KernelExports;
  imageAt: number;
  scratchAt: number;
  firstSlot: number;
  frameAt: Map<number, number>;
  /** Both banks of the maps of a module that is corrected. */
  mapsAt: Map<number, readonly [number, number]>;
  corrector: JungfrauCorrector | undefined;
}

/** A frame to convert. */
export interface ModuleFrame {
  module: number;
  /** Slot of the frame ring. */
  frameSlot: number;
  /** Slot of the image ring. */
  imageSlot: number;
  /** Packets that the frame misses. */
  missingPackets: number;
  /** Bank of the calibration; of no meaning where nothing is corrected. */
  bank: Bank;
}

/**
 * Converts frames into image slots. A 32-bit memory cannot hold everything where rings are large: there
 * is one memory for each group of modules and each run of image slots, made when first used.
 */
export class ModuleConverter implements Disposable {
  readonly #setup: ConverterSetup;
  readonly #group = new Map<number, number>(); // module → group
  readonly #groups: ConverterSetup["modules"][] = [];
  readonly #slotsPerCell: number;
  readonly #cells = new Map<string, Cell>();
  readonly #modules = new Map<number, ModuleSetup>();
  readonly #attached = new Set<number>();
  readonly #imageFile: File;

  /** @throws {OsError} If the image ring cannot be opened. */
  constructor(setup: ConverterSetup) {
    this.#setup = setup;
    this.#slotsPerCell = Math.min(
      setup.image.slots,
      Math.floor(LARGEST_SHARE / setup.image.slotBytes),
    );
    let room = 0;
    for (const entry of setup.modules) {
      const bytes = slotMemoryBytes(entry.ring.slotBytes, entry.ring.slots) + mapBytes(entry);
      if (room < bytes) {
        this.#groups.push([]);
        room = LARGEST_SHARE;
      }
      room -= bytes;
      this.#groups.at(-1)!.push(entry);
      this.#group.set(entry.module, this.#groups.length - 1);
      this.#modules.set(entry.module, entry);
    }
    this.#imageFile = File.open(dataPath(setup.image.name), { write: true });
  }

  /** Brings a module's frame from its slot to its place in the image; returns its pixels without value. */
  convert({ module, frameSlot, imageSlot, missingPackets, bank }: ModuleFrame): InvalidPixels {
    const { cell, image, setup } = this.#place(module, imageSlot);
    const { corrector, scratchAt } = cell;
    const maps = cell.mapsAt.get(module)?.[bank];
    const from = cell.frameAt.get(module)! + frameSlot * setup.ring.slotBytes;
    const invalid = convertModule(cell.kernels, setup, {
      from,
      image,
      scratch: scratchAt,
      ...(corrector === undefined || maps === undefined
        ? {}
        : { correction: { corrector, maps, missingPackets } }),
    });
    if (maps !== undefined && missingPackets === 0) trackModule(cell, setup, from, maps);
    return invalid;
  }

  /** Zeroes a module's place in the image. */
  blank(module: number, imageSlot: number): void {
    const { cell, image, setup } = this.#place(module, imageSlot);
    blankModule(cell.kernels, setup, image);
  }

  /**
   * Maps a module's ring, which must exist with its full size; again when its writer was replaced.
   *
   * @throws {OsError} If it cannot be opened.
   */
  attach(module: number): void {
    this.#attached.add(module);
    for (const cell of this.#cells.values()) this.#mapFrames(cell, module);
  }

  /** Makes the memory for a module's frames and an image slot, so that the first image does not wait. */
  prepare(module: number, imageSlot: number): void {
    this.#place(module, imageSlot);
  }

  /** Lets go of the image ring's file. */
  [Symbol.dispose](): void {
    this.#imageFile.close();
  }

  #place(module: number, imageSlot: number): { cell: Cell; image: number; setup: ModuleSetup } {
    const setup = this.#modules.get(module);
    const group = this.#group.get(module);
    if (setup === undefined || group === undefined) {
      throw new RangeError(`Module ${module} is not one of this converter's`);
    }
    const run = Math.floor(imageSlot / this.#slotsPerCell);
    const key = `${group}/${run}`;
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = this.#makeCell(this.#groups[group]!, run * this.#slotsPerCell);
      this.#cells.set(key, cell);
    }
    const image = cell.imageAt + (imageSlot - cell.firstSlot) * this.#setup.image.slotBytes;
    return { cell, image, setup };
  }

  #makeCell(modules: ConverterSetup["modules"], firstSlot: number): Cell {
    const { image } = this.#setup;
    const count = Math.min(this.#slotsPerCell, image.slots - firstSlot);
    const scratch = Math.max(...modules.map(scratchBytes));
    const columns = Math.max(0, ...modules.map(correctedColumns));
    const workBytes = columns === 0 ? 0 : JungfrauCorrector.workBytes(columns);
    let bytes = slotMemoryBytes(image.slotBytes, count) + scratch + workBytes + 2 * PAGE_BYTES;
    for (const entry of modules) {
      const { ring } = entry;
      bytes += slotMemoryBytes(ring.slotBytes, ring.slots) + PAGE_BYTES + mapBytes(entry);
    }
    const memory = new SharedMemory(bytes);
    const imageAt = mapSlots(memory, this.#imageFile, image.slotBytes, firstSlot, count, {
      writable: true,
    });
    const frameAt = new Map<number, number>();
    const mapsAt = new Map<number, readonly [number, number]>();
    for (const { module, ring, conversion } of modules) {
      frameAt.set(module, memory.allocate(slotMemoryBytes(ring.slotBytes, ring.slots), PAGE_BYTES));
      if (conversion.kind !== "correct_jungfrau") continue;
      const writable = conversion.setup.tracking !== undefined;
      const map = (bank: Bank): number => mapMaps(memory, conversion.maps, bank, writable);
      mapsAt.set(module, [map(0), map(1)]);
    }
    const kernels = instantiateKernels(memory.memory);
    const cell = {
      memory,
      kernels,
      corrector: columns === 0
        ? undefined
        : new JungfrauCorrector(memory.memory, kernels, memory.allocate(workBytes), columns),
      mapsAt,
      imageAt,
      scratchAt: memory.allocate(scratch),
      firstSlot,
      frameAt,
    };
    for (const module of this.#attached) this.#mapFrames(cell, module);
    return cell;
  }

  #mapFrames(cell: Cell, module: number): void {
    const at = cell.frameAt.get(module);
    if (at === undefined) return;
    const { name, slotBytes, slots } = this.#modules.get(module)!.ring;
    using file = File.open(dataPath(name));
    cell.memory.remap(at, file, slotBytes * slots);
  }
}

/** Columns of a module that is corrected; 0 of one that is not. */
function correctedColumns({ conversion }: ModuleSetup): number {
  return conversion.kind === "correct_jungfrau" ? conversion.setup.columns : 0;
}

/** Room that a module's maps take, both banks. */
function mapBytes({ conversion }: ModuleSetup): number {
  return conversion.kind === "correct_jungfrau" ? BANKS * conversion.maps.bytes + PAGE_BYTES : 0;
}

/**
 * Lets a module's pedestals follow its frame, which has just been corrected with them. Each module has
 * one converter, and all of its memories map the same pages: nobody else writes them.
 */
function trackModule(cell: Cell, { conversion }: ModuleSetup, from: number, maps: number): void {
  if (conversion.kind !== "correct_jungfrau" || conversion.setup.tracking === undefined) return;
  const { rows, columns, tracking } = conversion.setup;
  trackPedestal({ kernels: cell.kernels, memory: cell.memory.memory }, {
    from,
    rows,
    columns,
    g0: maps,
    limits: maps + conversion.maps.limitsAt,
    weight: tracking.weight,
  });
}

/** Maps a module's maps of one bank; returns where they appear. */
function mapMaps(
  memory: SharedMemory,
  { fd, at, bytes }: ModuleMaps,
  bank: Bank,
  writable: boolean,
): number {
  const place = memory.allocate(bytes, PAGE_BYTES);
  mapFixed({
    address: memory.base + BigInt(place),
    bytes,
    fd,
    fileOffset: at[bank],
    writable,
    populate: true,
  });
  return place;
}
