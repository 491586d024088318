import assert from "node:assert/strict";
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

Deno.test("ArrayFile says of a cut file, in one line, that it is cut", () => {
  const open = (): void => withFile(CONTENT.subarray(0, -200), () => {});
  assert.throws(open, (error) => {
    assert.ok(error instanceof ArrayFileError);
    assert.match(error.message, /^[^\n]*not a readable HDF5 file: truncated file[^\n]*$/);
    return true;
  });
});
