import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { encodeArrayFile } from "./array_file.ts";
import { ArrayFile, ArrayFileError } from "./read_array_file.ts";

const CONTENT = encodeArrayFile({
  datasets: { "/maps/gains": { data: Float64Array.of(1, 2), shape: [2] } },
});

/** Opens a file of these bytes. */
function withFile(bytes: Uint8Array, use: (file: ArrayFile) => void): void {
  const path = Deno.makeTempFileSync({ prefix: "array_file_", suffix: ".h5" });
  try {
    Deno.writeFileSync(path, bytes);
    using file = new ArrayFile(path);
    use(file);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("ArrayFile says of a path that is no dataset what it is instead", () => {
  withFile(CONTENT, (file) => {
    assert.deepEqual([...file.numbers("/maps/gains")], [1, 2]);
    assert.throws(() => file.numbers("/maps"), /\/maps is a group, .* it has: gains/);
    assert.throws(() => file.numbers("/none"), /no dataset \/none, only: \/maps, \/maps\/gains/);
  });
});

Deno.test("ArrayFile tells what values are, and the numbers of attributes", () => {
  const shape = [1], attributes = { units: "m", factor: 2.5, id: 7n };
  const bytes = encodeArrayFile({
    datasets: {
      "/floats": { data: Float32Array.of(1), shape, attributes },
      "/integers": { data: BigUint64Array.of(1n), shape },
    },
  });
  withFile(bytes, (file) => {
    assert.deepEqual(["/floats", "/integers", "/none"].map((path) => file.kind(path)), [
      ...["float", "integer", undefined],
    ]);
    const numbers = ["factor", "id", "units", "none"]
      .map((name) => file.attributeNumbers("/floats", name));
    assert.deepEqual(numbers, [[2.5], [7], undefined, undefined]);
    assert.equal(file.attributeNumbers("/none", "factor"), undefined);
  });
});

Deno.test("ArrayFile says of a cut file, in one line, that it is cut", () => {
  const open = (): void => withFile(CONTENT.subarray(0, -200), () => {});
  assert.throws(open, (error) => {
    assert.ok(error instanceof ArrayFileError);
    assert.match(error.message, /^[^\n]*not a readable HDF5 file: truncated file[^\n]*$/);
    return true;
  });
});

/** `/pedestal`, four float64, as h5py compresses it by LZF; deflated. */
const LZF_FILE =
  "eNrr9HBx4+WS4mIAAQ4OBhYGAQZk8B8KdvGi8mHyCVCaEUp3QOkVTDBxRrCcBFRcEGo+urqQIFdXkOr/aABmjwELhO" +
  "ZgGAUjEXi4OgaA6AgoH5aeTjChqitITUktLknMYUBLlw5k2svIwAYxgxHGh9jMyAgRgCZLOM0MlAfJCCrYQ9OqA4MJ" +
  "N4PJf2aIPCtQFCTPxAwxkZtBA8xghDm0FiTPzJBTlQY3lxUop8AAS/8Q+5mZmCpYEVYjZYsImsZDsJ+/CyhHwyxUYB" +
  "5Nm+QAUHnHiKW8E8KhfgUvKp+FYbQ8HAWjYBSMglEwCoY7ADYBHwCbjB/sF/AyODSwM3I4AADgVEmp";

Deno.test("ArrayFile names the filter that a dataset cannot be read for, and what to do", () => {
  withFile(inflateSync(Uint8Array.fromBase64(LZF_FILE)), (file) => {
    assert.deepEqual(file.shape("/pedestal"), [4]);
    assert.throws(
      () => file.numbers("/pedestal"),
      /\/pedestal cannot be read: it is compressed by filter 32000 \(lzf\), which is not read here: compress it by deflate/,
    );
  });
});
