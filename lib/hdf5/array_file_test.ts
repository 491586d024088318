import assert from "node:assert/strict";
import * as h5wasm from "h5wasm";
import { h5Module, memoryPath } from "./_h5wasm.ts";
import { type ArrayFileContent, encodeArrayFile } from "./array_file.ts";

/** Encodes a file and has the HDF5 library read it. */
function reread<T>(content: ArrayFileContent, read: (file: h5wasm.File) => T): T {
  const path = memoryPath();
  h5Module.FS.writeFile(path, encodeArrayFile(content));
  const file = new h5wasm.File(path, "r");
  try {
    return read(file);
  } finally {
    file.close();
    h5Module.FS.unlink(path);
  }
}

function datasetAt(file: h5wasm.File, path: string): h5wasm.Dataset {
  const dataset = file.get(path);
  assert.ok(dataset instanceof h5wasm.Dataset, `${path} is no dataset`);
  return dataset;
}

Deno.test("encodeArrayFile() keeps values, types and shapes of every kind of number", () => {
  const arrays = {
    "/f32": Float32Array.of(1.5, NaN, -0, 3, 4, 5),
    "/f64": Float64Array.of(1e300, 1, 2, 3, 4, 5),
    "/deep/er/u8": Uint8Array.of(0, 255, 1, 2, 3, 4),
    "/deep/u32": Uint32Array.of(2 ** 32 - 1, 0, 1, 2, 3, 4),
    "/deep/u64": BigUint64Array.of(2n ** 64n - 1n, 0n, 1n, 2n, 3n, 4n),
  };
  const datasets = Object.fromEntries(
    Object.entries(arrays).map(([path, data]) => [path, { data, shape: [1, 3, 2] }]),
  );
  reread({ datasets }, (file) => {
    for (const [path, data] of Object.entries(arrays)) {
      const dataset = datasetAt(file, path);
      assert.deepEqual(dataset.value, data, path);
      assert.deepEqual(dataset.shape, [1, 3, 2]);
    }
  });
});

Deno.test("encodeArrayFile() keeps attributes of the file, of groups and of datasets", () => {
  const attributes = { text: "µ, and the empty one:", empty: "", number: 0.1, integer: -5n };
  const content: ArrayFileContent = {
    groups: { "/": attributes, "/a/b": attributes },
    datasets: { "/a/d": { data: Uint8Array.of(7), shape: [1], attributes } },
  };
  reread(content, (file) => {
    for (const path of ["/", "/a/b", "/a/d"]) {
      const owner = path === "/" ? file : file.get(path);
      assert.ok(owner instanceof h5wasm.Group || owner instanceof h5wasm.Dataset);
      const value = (name: string): unknown => owner.attrs[name]?.value;
      assert.deepEqual(
        ["text", "empty", "number", "integer"].map(value),
        ["µ, and the empty one:", "", 0.1, -5n],
      );
    }
  });
});

for (
  const [what, content, message] of [
    [
      "a shape that does not fit the values",
      { datasets: { "/d": { data: Uint8Array.of(1, 2, 3), shape: [2, 2] } } },
      /\/d has 3 values for a shape of 2 × 2/,
    ],
    [
      "a path that is not absolute",
      { datasets: { "d": { data: Uint8Array.of(1), shape: [1] } } },
      /d is no absolute path: write \/d/,
    ],
    [
      "a dataset below another one",
      {
        datasets: {
          "/d": { data: Uint8Array.of(1), shape: [1] },
          "/d/e": { data: Uint8Array.of(1), shape: [1] },
        },
      },
      /leads through d, which is no group/,
    ],
  ] as [string, ArrayFileContent, RegExp][]
) {
  Deno.test(`encodeArrayFile() refuses ${what}`, () => {
    assert.throws(() => encodeArrayFile(content), (error) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, message);
      return true;
    });
  });
}
