import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { checkLayers, findViolations } from "./layers.ts";

function violations(files: Record<string, string>): string[] {
  return findViolations(new Map(Object.entries(files))).map(({ file, specifier }) =>
    `${file} ${specifier}`
  );
}

Deno.test("findViolations() lets imports point down, stay in their folder, or name packages", () => {
  assert.deepEqual(
    violations({
      "lib/ring/a.ts": `import { b } from "./b.ts";\nimport { c } from "../os/mod.ts";`,
      "lib/ring/b.ts": `import fc from "fast-check";\nimport x from "../kernels/mod.ts";`,
      "services/one/main.ts": `import {\n  a,\n  b,\n} from "../../lib/ring/a.ts";`,
      "lib/kernels/instance.ts": `import kernels from "../../wasm/kernels.ts";`,
    }),
    [],
  );
});

Deno.test("findViolations() finds imports that point up or sideways, whatever their form", () => {
  assert.deepEqual(
    violations({
      "lib/os/a.ts": `export * from "../ring/mod.ts";`,
      "lib/ring/b.ts": `import {\n  type X,\n} from "../config/mod.ts";`,
      "lib/receive/c.ts": `const x = await import("../assemble/mod.ts");`,
      "lib/hdf5/d.ts": `import "../../services/one/main.ts";`,
      "services/one/main.ts": `import { two } from "../two/main.ts";`,
      "lib/unheard/e.ts": `import { os } from "../os/mod.ts";`,
    }),
    [
      "lib/hdf5/d.ts ../../services/one/main.ts",
      "services/one/main.ts ../two/main.ts",
      "lib/os/a.ts ../ring/mod.ts",
      "lib/receive/c.ts ../assemble/mod.ts",
      "lib/ring/b.ts ../config/mod.ts",
      "lib/unheard/e.ts ../os/mod.ts",
    ],
  );
});

Deno.test("findViolations() keeps what only a process needs out of Workers", () => {
  const mod = `import { runService } from "../../lib/service/mod.ts";`;
  assert.deepEqual(
    violations({
      "services/one/main.ts": mod,
      "services/one/worker.ts": mod,
      "services/one/compress_worker.ts": mod,
      "services/two/worker.ts": `import { x } from "../../lib/service/run_data_worker.ts";`,
    }),
    [
      "services/one/compress_worker.ts ../../lib/service/mod.ts",
      "services/one/worker.ts ../../lib/service/mod.ts",
    ],
  );
});

Deno.test("findViolations() leaves tests, what only they use, and comments alone", () => {
  const up = `import { x } from "../service/mod.ts";`;
  assert.deepEqual(
    violations({
      "lib/os/a_test.ts": `${up}\nimport "./_helper.ts";`,
      "lib/os/_helper.ts": up,
      "lib/os/testdata/program.ts": up,
      "lib/os/b.ts": `/**\n * @example\n * ${up}\n${up}\n */\n// ${up}`,
      "lib/os/_used.ts": up,
      "lib/os/c.ts": `import "./_used.ts";`,
    }),
    ["lib/os/_used.ts ../service/mod.ts"],
  );
});

Deno.test("the repository's imports point down", () => {
  assert.deepEqual(checkLayers(fileURLToPath(new URL("..", import.meta.url))), []);
});
