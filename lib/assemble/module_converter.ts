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
import { placementSpan } from "./placement.ts";

/** Room in a memory for what is neither ring, map nor scratch: its low addresses, alignment; bytes. */
const MARGIN = 2 ** 18;

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

/** A module, and the memories that its ring is in. */
interface ModulePlace {
  setup: ModuleSetup;
  /** One for each run of image slots; other modules' rings may be in them, too. */
  cells: readonly Cell[];
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
 * is one memory for each group of modules and each run of image slots. All of them are made at once, so
 * that no image waits for its memory.
 */
export class ModuleConverter {
  readonly #setup: ConverterSetup;
  readonly #slotsPerCell: number;
  readonly #modules = new Map<number, ModulePlace>();

  /**
   * Maps the image ring, which must exist, and faults in what the modules write of it.
   *
   * @param largestMemory Most bytes of a memory.
   * @throws {RangeError} If a module's frame ring and one image do not fit into a memory.
   * @throws {OsError} If the image ring cannot be opened.
   */
  constructor(setup: ConverterSetup, largestMemory: number = LARGEST_MEMORY) {
    const { image, modules } = setup;
    const room = largestMemory - MARGIN;
    this.#setup = setup;
    const groups = groupModules(modules, room / 2);
    const own = Math.max(0, ...groups.map(groupBytes));
    this.#slotsPerCell = Math.min(image.slots, Math.floor((room - own) / image.slotBytes));
    if (this.#slotsPerCell < 1) {
      throw new RangeError(
        `Frame rings and maps of ${own} bytes and an image of ${image.slotBytes} do not fit into a ` +
          `memory of ${largestMemory}: lower frame_slots`,
      );
    }
    // Of one size: the engine compiles the kernels once for all of them, and what it has learnt of
    // them with the images of one memory is of use in the next.
    const bytes = own + slotMemoryBytes(image.slotBytes, this.#slotsPerCell);
    using file = File.open(dataPath(image.name), { write: true });
    for (const group of groups) {
      const cells: Cell[] = [];
      for (const setup of group) this.#modules.set(setup.module, { setup, cells });
      for (let first = 0; first < image.slots; first += this.#slotsPerCell) {
        cells.push(this.#makeCell(group, first, new SharedMemory(bytes), file));
      }
    }
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
   * Maps a module's ring, which must exist with its full size; again when its writer was replaced. Its
   * pages are faulted in as frames are read: with all rings at once other modules' frames would wait,
   * and each page would be mapped in all memories, though it is read in few.
   *
   * @throws {OsError} If it cannot be opened.
   */
  attach(module: number): void {
    const { setup, cells } = this.#find(module);
    const { name, slotBytes, slots } = setup.ring;
    using file = File.open(dataPath(name));
    for (const { memory, frameAt } of cells) {
      memory.remap(frameAt.get(module)!, file, slotBytes * slots, { populate: false });
    }
  }

  #find(module: number): ModulePlace {
    const place = this.#modules.get(module);
    if (place === undefined) {
      throw new RangeError(`Module ${module} is not one of this converter's`);
    }
    return place;
  }

  #place(module: number, imageSlot: number): { cell: Cell; image: number; setup: ModuleSetup } {
    const { setup, cells } = this.#find(module);
    const cell = cells[Math.floor(imageSlot / this.#slotsPerCell)];
    if (cell === undefined) throw new RangeError(`The image ring has no slot ${imageSlot}`);
    const image = cell.imageAt + (imageSlot - cell.firstSlot) * this.#setup.image.slotBytes;
    return { cell, image, setup };
  }

  #makeCell(
    modules: readonly ModuleSetup[],
    firstSlot: number,
    memory: SharedMemory,
    imageFile: File,
  ): Cell {
    const { slotBytes, slots } = this.#setup.image;
    const count = Math.min(this.#slotsPerCell, slots - firstSlot);
    const imageAt = mapSlots(memory, imageFile, slotBytes, firstSlot, count, {
      writable: true,
      populate: false,
    });
    for (const { placement } of modules) {
      const { from, to } = placementSpan(placement);
      for (let slot = 0; slot < count; slot++) {
        const image = imageAt + slot * slotBytes;
        faultIn(memory, image + from, image + to);
      }
    }
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
    const columns = correctedColumns(modules);
    return {
      memory,
      kernels,
      corrector: columns === 0 ? undefined : new JungfrauCorrector(
        memory.memory,
        kernels,
        memory.allocate(JungfrauCorrector.workBytes(columns)),
        columns,
      ),
      mapsAt,
      imageAt,
      scratchAt: memory.allocate(Math.max(...modules.map(scratchBytes))),
      firstSlot,
      frameAt,
    };
  }
}

/** Modules in groups of at most `most` bytes; one that takes more by itself is a group. */
function groupModules(modules: readonly ModuleSetup[], most: number): ModuleSetup[][] {
  const groups: ModuleSetup[][] = [];
  for (const entry of modules) {
    const group = groups.at(-1);
    if (group !== undefined && groupBytes([...group, entry]) <= most) group.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

/** What some modules take in each of their memories, beside images: bytes. */
function groupBytes(modules: readonly ModuleSetup[]): number {
  const columns = correctedColumns(modules);
  const workBytes = columns === 0 ? 0 : JungfrauCorrector.workBytes(columns);
  const rings = modules.map((entry) =>
    slotMemoryBytes(entry.ring.slotBytes, entry.ring.slots) + PAGE_BYTES + mapBytes(entry)
  );
  return rings.reduce((sum, bytes) => sum + bytes, Math.max(...modules.map(scratchBytes))) +
    workBytes + 2 * PAGE_BYTES;
}

/** Most columns of a module that is corrected; 0 if none is. */
function correctedColumns(modules: readonly ModuleSetup[]): number {
  return Math.max(
    0,
    ...modules.map(({ conversion }) =>
      conversion.kind === "correct_jungfrau" ? conversion.setup.columns : 0
    ),
  );
}

/**
 * Faults in the pages of a range for writing, so that the first images do not pay for it. What they hold
 * stays: images of a former assembler may still be read.
 */
function faultIn({ u32 }: SharedMemory, from: number, to: number): void {
  for (let page = Math.floor(from / PAGE_BYTES) * PAGE_BYTES; page < to; page += PAGE_BYTES) {
    Atomics.or(u32, page / 4, 0);
  }
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
