/**
 * Our compressed chunks in the hands of the HDF5 filter plugin, and its in ours.
 */
import assert from "node:assert/strict";
import {
  bitshuffleScratchBytes,
  bytesOf,
  compressChunk,
  compressedBound,
  decompressChunk,
  type ElementBytes,
  kernelMemory,
} from "../../lib/kernels/mod.ts";

const PYTHON = "/usr/bin/python3";
const SCRIPT = new URL("h5_bitshuffle.py", import.meta.url).pathname;

interface Case {
  name: string;
  dtype: string;
  elementBytes: ElementBytes;
  shape: [number, number];
  /** Elements of a block; 0 for the filter's default. */
  block: number;
}

const CASES: Case[] = ([["uint8", 1], ["uint16", 2], ["float32", 4], ["float64", 8]] as const)
  .flatMap(([dtype, elementBytes]) =>
    [[514, 103, 0], [7, 13, 0], [1, 5, 0], [61, 67, 512], [64, 64, 4096], [512, 512, 65536]]
      .map(([height, width, block], i): Case => ({
        name: `${dtype}_${i}`,
        dtype,
        elementBytes,
        shape: [height!, width!],
        block: block!,
      }))
  );

/** Pixels like those of a detector: low counts, and now and then a high one. */
function pixels({ elementBytes, shape: [height, width] }: Case): Uint8Array {
  const bytes = new Uint8Array(height * width * elementBytes);
  for (let i = 0; i < height * width; i++) {
    bytes[i * elementBytes] = (i * i) >> 3 & 7;
    if (i % 97 === 0) bytes.fill(i, i * elementBytes, (i + 1) * elementBytes);
  }
  return bytes;
}

Deno.test("h5py with the filter plugin reads the chunks we compress, and we read its", () => {
  const on = kernelMemory(
    new WebAssembly.Memory({ initial: 160, maximum: 160, shared: true }),
  );
  const folder = Deno.makeTempDirSync({ prefix: `std_daq_bitshuffle_${Deno.pid}_` });
  const MIB = 2 ** 20;
  try {
    for (const one of CASES) {
      const raw = pixels(one);
      const { elementBytes } = one;
      const elements = raw.length / elementBytes;
      const block = one.block === 0 ? {} : { blockElements: one.block };
      const from = { at: MIB, bytes: raw.length };
      bytesOf(on, from).set(raw);
      const bytes = compressChunk(on, {
        from,
        elementBytes,
        to: { at: 4 * MIB, bytes: compressedBound(elements, elementBytes, block.blockElements) },
        scratch: { at: 7 * MIB, bytes: 3 * MIB },
        ...block,
      });
      Deno.writeFileSync(`${folder}/${one.name}.raw`, raw);
      Deno.writeFileSync(
        `${folder}/${one.name}.chunk`,
        bytesOf(on, { at: 4 * MIB, bytes }).slice(),
      );
    }
    Deno.writeTextFileSync(`${folder}/cases.json`, JSON.stringify(CASES));
    const { success, stderr } = new Deno.Command(PYTHON, { args: [SCRIPT, folder] }).outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
    for (const { name, elementBytes } of CASES) {
      const raw = Deno.readFileSync(`${folder}/${name}.raw`);
      assert.deepEqual(Deno.readFileSync(`${folder}/${name}.read`), raw, `${name} read by h5py`);
      const theirs = Deno.readFileSync(`${folder}/${name}.h5py`);
      const from = { at: MIB, bytes: theirs.length }, to = { at: 4 * MIB, bytes: raw.length };
      bytesOf(on, from).set(theirs);
      const scratch = {
        at: 7 * MIB,
        bytes: bitshuffleScratchBytes(raw.length / elementBytes, elementBytes, 65536),
      };
      decompressChunk(on, { from, elementBytes, to, scratch });
      assert.deepEqual(bytesOf(on, to).slice(), raw, `${name} compressed by h5py`);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
