/**
 * No kernel writes outside its output, whatever its input: each is called with random sizes, alignments
 * and bytes, and all of the memory is compared afterwards.
 *
 * What kernels write inside of it is tested beside each of them. A kernel that is exported and not in the
 * table fails the first test.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { lz4Bound } from "./bitshuffle.ts";
import { JungfrauCorrector } from "./correct_jungfrau.ts";
import { instantiateKernels, type KernelExports } from "./mod.ts";
import {
  BITSHUFFLE,
  HEADER_BYTES,
  IMAGE_STATISTICS,
  JUNGFRAU_G0,
  JUNGFRAU_SWITCHED,
  SIMULATOR_DATAGRAM,
  SIMULATOR_KINDS,
  SIMULATOR_MODULE,
} from "./layout.ts";

const PAGES = 16;
const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
const kernels = instantiateKernels(memory);
const u8 = new Uint8Array(memory.buffer);
const dv = new DataView(memory.buffer);

/** Draws sizes and hands out places: what is read may hold anything, what is written is remembered. */
class Draw {
  readonly written: { at: number; end: number }[] = [];
  #x: number;
  #next = 1024;

  constructor(seed: number) {
    this.#x = seed;
    for (let at = 0; at < u8.length; at += 4) dv.setUint32(at, this.#bits());
  }

  #bits(): number {
    // xorshift: every bit is used as a pixel's, a length's or a gain code's
    let x = this.#x;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#x = x) >>> 0;
  }

  /** A whole number, both ends included. */
  int(least: number, most: number): number {
    return least + this.#bits() % (most + 1 - least);
  }

  pick<T>(...values: T[]): T {
    return values[this.#bits() % values.length]!;
  }

  /** A place to read. */
  input(bytes: number, align = 1): number {
    const at = Math.ceil((this.#next + this.int(64, 200)) / align) * align;
    this.#next = at + bytes;
    assert.ok(this.#next + 256 < u8.length, `${bytes} more bytes do not fit`);
    return at;
  }

  /** A place to write. */
  output(bytes: number, align = 1): number {
    const at = this.input(bytes, align);
    this.written.push({ at, end: at + bytes });
    return at;
  }

  /** Rows to write, in either direction: where the first one goes, and how far it is to the next. */
  rows(rows: number, bytes: number): { to: number; stride: number } {
    const width = bytes + this.pick(0, this.int(1, 40));
    const at = this.output(rows * width);
    return this.pick({ to: at, stride: width }, { to: at + (rows - 1) * width, stride: -width });
  }
}

/** Draws what a kernel needs, and returns the call. */
type Case = (d: Draw) => () => unknown;

const module = (d: Draw, unit: number): [number, number, number, number, number, number] => {
  const rows = d.int(1, 9),
    chips = d.int(1, 4),
    run = d.int(1, Math.floor(300 / unit)) * unit,
    gap = d.int(0, 9);
  const { to, stride } = d.rows(rows, chips * run + (chips - 1) * gap);
  return [to, rows, chips, run, gap, stride];
};

const assembly = (mirrored: boolean): Case => (d) => {
  const [to, rows, chips, run, gap, stride] = module(d, mirrored ? 16 : 1);
  const from = d.input(rows * chips * run);
  return () =>
    mirrored
      ? kernels.assembleMirrored(to, from, rows, chips, run, gap, stride, d.pick(1, 2, 4))
      : kernels.assembleModule(to, from, rows, chips, run, gap, stride);
};

const bin = (
  name: "binU8" | "binU16" | "binU32" | "binF32",
  pixel: number,
  sum: number,
): Case =>
(d) => {
  const rows = d.int(1, 5), n = d.int(1, 70), f = d.pick(2, 4, 8), mean = d.int(0, 1);
  const stride = (f * n + d.int(0, 9)) * pixel;
  const to = d.output(rows * n * (mean === 1 ? pixel : sum));
  const from = d.input(rows * f * stride), work = d.output(4 * f * n + 64);
  return () => kernels[name](to, from, rows, n, stride, f, mean, work);
};

const correction = (
  name: `correctJungfrau${"Float32" | "Int16" | "Uint16" | "Int32"}`,
  pixel: number,
): Case =>
(d) => {
  const rows = d.int(1, 4), columns = d.int(1, 150), blocks = rows * Math.ceil(columns / 8);
  const { to, stride } = d.rows(rows, columns * pixel);
  const from = d.input(2 * rows * columns);
  const g0 = d.input(blocks * JUNGFRAU_G0.$bytes),
    switched = d.input(blocks * JUNGFRAU_SWITCHED.$bytes);
  const saturated = d.pick(0xc000, 0x3fff, 0xffff),
    work = d.output(JungfrauCorrector.workBytes(columns), 8);
  // Some rows of G0 alone, some of all stages.
  if (d.int(0, 1) === 1) { for (let i = 1; i < 2 * rows * columns; i += 2) u8[from + i]! &= 0x3f; }
  return () => kernels[name](to, stride, from, rows, columns, g0, switched, saturated, work);
};

/** A line of border pixels: their gap pixels lie on either side of each, or of the line. */
const line = (
  d: Draw,
  pixel: number,
): { at: number; count: number; stride: number; step: number } => {
  const count = d.int(1, 60);
  const [stride, far] = d.pick([pixel, count * pixel + 16], [d.int(3, 9) * pixel, pixel]);
  const step = d.pick(far!, -far!);
  const place = d.output(count * stride! + 2 * Math.abs(step));
  return { at: place + Math.abs(step), count, stride: stride!, step };
};

const histogram = (
  name: "histogramU8" | "histogramU16" | "histogramU32" | "histogramF32",
  pixel: number,
): Case =>
(d) => {
  const n = d.int(0, 500), bins = d.int(1, 300);
  const from = d.input(n * pixel), mask = d.pick(0, d.input(n));
  const [low, width] = name === "histogramF32"
    ? [d.pick(0, -1e30, 1e-3), d.pick(1, 1e-30, 1e30)]
    : [d.pick(0, d.int(0, 2 ** 31)), d.int(0, 31)];
  const counts = d.output(16 * (bins + 3), 4);
  return () => kernels[name](from, mask, n, low!, width!, bins, counts);
};

const statistics = (
  name: "statisticsU8" | "statisticsU16" | "statisticsU32" | "statisticsF32",
  pixel: number,
): Case =>
(d) => {
  const n = d.int(0, 500), from = d.input(n * pixel), mask = d.pick(0, d.input(n));
  const result = d.output(IMAGE_STATISTICS.$bytes, 8);
  return () => kernels[name](from, mask, n, result);
};

const shuffling = (name: "bitshuffle" | "bitunshuffle"): Case => (d) => {
  const n = 8 * d.int(0, 80), bytes = d.pick(1, 2, 4, 8);
  const to = d.output(n * bytes), from = d.input(n * bytes), work = d.output(BITSHUFFLE.table, 16);
  return () => kernels[name](to, from, n, bytes, work);
};

const packets = (scheduled: boolean): Case => (d) => {
  const batch = d.int(1, 20), gf = d.int(0, 1), sources = d.int(1, 3), blocks = d.int(1, 2);
  const state = d.input(SIMULATOR_MODULE.$bytes, 8),
    schedule = d.input(batch * SIMULATOR_DATAGRAM.$bytes, 4);
  const payload = d.int(1, 64), last = d.int(1, payload), perFrame = d.int(1, 9);
  const settings: Partial<Record<keyof typeof SIMULATOR_MODULE, number>> = {
    batch,
    segments: d.int(1, batch),
    header_kind: gf,
    header_bytes: gf === 1 ? 32 : HEADER_BYTES,
    payload_bytes: payload,
    last_payload_bytes: last,
    packets_per_frame: perFrame,
    sources_at: d.input(blocks * sources * perFrame * payload),
    sources,
    blocks,
    frames_per_block: d.int(1, 5),
    headers_at: d.output(batch * HEADER_BYTES, 8),
    messages_at: d.output(batch * 64, 8),
    iovecs_at: d.output(batch * 2 * 16, 8),
    schedule_at: schedule,
  };
  for (const [field, value] of Object.entries(settings)) {
    dv.setUint32(state + SIMULATOR_MODULE[field as keyof typeof SIMULATOR_MODULE], value, true);
  }
  for (let i = 0; i < batch; i++) { // the frame and the wrong value are any
    const at = schedule + i * SIMULATOR_DATAGRAM.$bytes;
    dv.setUint32(at + SIMULATOR_DATAGRAM.packet, d.int(0, perFrame - 1), true);
    dv.setUint32(at + SIMULATOR_DATAGRAM.kind, d.int(0, SIMULATOR_KINDS.length), true);
  }
  return () =>
    scheduled
      ? kernels.packetiseSchedule(state, 0, batch)
      : kernels.packetiseFrame(state, d.int(0, 1000), 0, Math.min(batch, perFrame));
};

const CASES: Readonly<Record<string, Case>> = {
  assembleModule: assembly(false),
  assembleMirrored: assembly(true),
  blankModule: (d) => {
    const shape = module(d, 1);
    return () => kernels.blankModule(...shape);
  },
  fillModule: (d) => {
    const shape = module(d, 4);
    return () => kernels.fillModule(...shape, d.int(0, 2 ** 31));
  },
  binU8: bin("binU8", 1, 2),
  binU16: bin("binU16", 2, 4),
  binU32: bin("binU32", 4, 4),
  binF32: bin("binF32", 4, 4),
  bitshuffle: shuffling("bitshuffle"),
  bitunshuffle: shuffling("bitunshuffle"),
  compressBlocks: (d) => {
    const bytes = d.pick(1, 2, 4, 8), n = d.int(0, 900), block = 8 * d.int(1, 60);
    const from = d.input(n * bytes), scratch = d.output(BITSHUFFLE.$bytes + block * bytes, 16);
    const to = d.output(Math.ceil(n / block) * (4 + lz4Bound(block * bytes)) + 7 * bytes);
    if (d.int(0, 2) > 0) u8.fill(0, from, from + d.int(0, n * bytes)); // something to compress
    return () => kernels.compressBlocks(to, from, n, bytes, block, scratch);
  },
  decompressBlocks: (d) => {
    const bytes = d.pick(1, 2, 4, 8),
      n = d.int(0, 900),
      block = 8 * d.int(1, 60),
      size = d.int(0, 900);
    const from = d.input(size + 4), scratch = d.output(BITSHUFFLE.$bytes + block * bytes, 16);
    const to = d.output(n * bytes);
    dv.setUint32(from, d.int(0, size)); // so that what follows is taken for a block
    return () => kernels.decompressBlocks(to, n, bytes, block, from, size, scratch);
  },
  lz4Compress: (d) => {
    const n = d.int(0, 3000),
      from = d.input(n),
      to = d.output(lz4Bound(n)),
      table = d.output(16384, 4);
    if (d.int(0, 2) > 0) u8.fill(7, from, from + d.int(0, n));
    return () => kernels.lz4Compress(to, from, n, table);
  },
  lz4Decompress: (d) => {
    const room = d.int(0, 600), n = d.int(0, 300), from = d.input(n), to = d.output(room);
    // Few literals and short distances, or the first token ends it.
    for (let i = 0; i < n; i++) {
      if (d.int(0, 2) > 0) u8[from + i] = d.pick(0, 1, 0x0f, 0x1f, 0x40, 0xf0, 0xff);
    }
    return () => kernels.lz4Decompress(to, room, from, n);
  },
  setOpaqueZero: () => () => kernels.setOpaqueZero(0),
  correctJungfrauFloat32: correction("correctJungfrauFloat32", 4),
  correctJungfrauInt16: correction("correctJungfrauInt16", 2),
  correctJungfrauUint16: correction("correctJungfrauUint16", 2),
  correctJungfrauInt32: correction("correctJungfrauInt32", 4),
  crop: (d) => {
    const rows = d.int(0, 9), run = d.int(0, 200), stride = run + d.int(0, 50);
    const to = d.output(rows * run), from = d.input(rows * stride);
    return () => kernels.crop(to, from, rows, run, stride);
  },
  isZero: (d) => {
    const n = 16 * d.int(0, 30), from = d.input(n);
    if (d.int(0, 1) === 1) u8.fill(0, from, from + n);
    return () => kernels.isZero(from, n);
  },
  shareCounts: (d) => {
    const pixel = d.pick(1, 2, 4), { at, count, stride, step } = line(d, pixel);
    return () =>
      kernels.shareCounts(at, count, stride, step, pixel, d.pick(0, 2 ** (8 * pixel) - 1));
  },
  shareSigned: (d) => {
    const pixel = d.pick(2, 4), { at, count, stride, step } = line(d, pixel);
    return () => kernels.shareSigned(at, count, stride, step, pixel, d.pick(0, -32768));
  },
  shareFloats: (d) => {
    const { at, count, stride, step } = line(d, 4);
    return () => kernels.shareFloats(at, count, stride, step);
  },
  setPixels: (d) => {
    const pixel = d.pick(1, 2, 4), { at, count, stride } = line(d, pixel);
    return () => kernels.setPixels(at, count, stride, pixel, d.int(0, 2 ** 31));
  },
  histogramU8: histogram("histogramU8", 1),
  histogramU16: histogram("histogramU16", 2),
  histogramU32: histogram("histogramU32", 4),
  histogramF32: histogram("histogramF32", 4),
  applyMask: (d) => {
    const n = d.int(0, 500),
      bytes = d.pick(1, 2, 4),
      image = d.output(n * bytes),
      mask = d.input(n);
    if (d.int(0, 1) === 1) u8.fill(0, mask, mask + d.int(0, n));
    return () => kernels.applyMask(image, mask, n, bytes, d.int(0, 2 ** 31));
  },
  packetiseFrame: packets(false),
  packetiseSchedule: packets(true),
  accumulatePedestal: (d) => {
    const pixels = d.int(0, 90), count = d.int(1, 16), code = d.pick(0, 1, 3);
    const stride = 2 * pixels + d.int(0, 9), frames = d.input(count * stride);
    const sums = d.output(4 * pixels), squares = d.output(8 * pixels), wrong = d.output(4 * pixels);
    // Mostly of one gain, so that both paths are taken.
    for (let i = 1; i < count * stride; i += 2) if (d.int(0, 20) > 0) u8[frames + i]! &= 0x3f;
    return () =>
      kernels.accumulatePedestal(frames, stride, count, code, sums, squares, wrong, pixels);
  },
  finishPedestal: (d) => {
    const pixels = d.int(0, 90), count = d.int(0, 2 ** 18);
    const sums = d.input(4 * pixels), squares = d.input(8 * pixels), wrong = d.input(4 * pixels);
    const means = d.output(4 * pixels), noises = d.output(4 * pixels);
    return () => kernels.finishPedestal(sums, squares, wrong, count, means, noises, pixels);
  },
  countGains: (d) => {
    const pixels = d.int(0, 500), frame = d.input(2 * pixels), counts = d.output(16);
    return () => kernels.countGains(frame, pixels, counts);
  },
  transposeModule: (d) => {
    const pixel = d.pick(1, 2, 4), rows = d.int(1, 40), columns = d.int(1, 40);
    const { to, stride } = d.rows(columns, rows * pixel);
    const fromStride = columns * pixel + d.int(0, 20), from = d.input(rows * fromStride);
    return d.pick(
      () => kernels.transposeModule(to, stride, from, fromStride, rows, columns, pixel),
      () => {
        const last = from + (rows - 1) * fromStride;
        kernels.transposeModule(to, stride, last, -fromStride, rows, columns, pixel);
      },
    );
  },
  statisticsU8: statistics("statisticsU8", 1),
  statisticsU16: statistics("statisticsU16", 2),
  statisticsU32: statistics("statisticsU32", 4),
  statisticsF32: statistics("statisticsF32", 4),
  trackPedestal: (d) => {
    const rows = d.int(1, 4), columns = d.int(1, 90), blocks = rows * Math.ceil(columns / 8);
    const from = d.input(2 * rows * columns), limits = d.input(32 * blocks);
    const g0 = d.output(blocks * JUNGFRAU_G0.$bytes);
    return () => kernels.trackPedestal(from, rows, columns, g0, limits, 0.25);
  },
  unpackGigafrost: (d) => {
    const rows = d.int(1, 9), columns = 2 * d.int(6, 120);
    const { to, stride } = d.rows(rows, 2 * columns), from = d.input(rows * columns * 3 / 2);
    return () => kernels.unpackGigafrost(to, from, rows, columns, stride);
  },
  unpackNibbles: (d) => {
    const [to, rows, chips, run, gap, stride] = module(d, 2);
    const from = d.input(rows * chips * run / 2);
    return () => kernels.unpackNibbles(to, from, rows, chips, run, gap, stride);
  },
  xxh3: (d) => {
    const n = d.int(0, 3000), from = d.input(n), secret = d.input(192);
    return () => kernels.xxh3(from, n, secret);
  },
};

/** Kernels of a receiver: its whole memory is under canaries in every test of `reassemble_test.ts`. */
const IN_RECEIVERS: readonly (keyof KernelExports)[] = [
  "resetReceiver",
  "armReceive",
  "receiveBatch",
  "expireFrames",
];

Deno.test("every kernel is tried here or as a part of a receiver", () => {
  const names = Object.entries(kernels).filter(([, value]) => typeof value === "function");
  assert.deepEqual(
    names.map(([name]) => name).sort(),
    [...Object.keys(CASES), ...IN_RECEIVERS].sort(),
  );
});

for (const [name, make] of Object.entries(CASES)) {
  Deno.test(`${name}() writes nothing outside its output, whatever its input`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
        const draw = new Draw(seed);
        const call = make(draw);
        const before = Buffer.from(u8.slice());
        call();
        const after = Buffer.from(memory.buffer);
        let from = 0;
        for (const { at, end } of [...draw.written, { at: u8.length, end: u8.length }]) {
          const same = before.compare(after, from, at, from, at) === 0;
          if (!same) {
            const wrong = before.subarray(from, at).findIndex((byte, i) =>
              byte !== after[from + i]
            );
            assert.fail(`byte ${from + wrong} was written, ${at - from - wrong} before ${at}`);
          }
          from = end;
        }
      }),
      { numRuns: 40 },
    );
  });
}
