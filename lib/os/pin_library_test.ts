import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { runScript } from "./_run_script_test_util.ts";
import { pinLibrary } from "./pin_library.ts";

Deno.test("pinLibrary() keeps the library of a Worker that ended", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-pin-" });
  try {
    await Deno.writeTextFile(`${folder}/answer.c`, "int answer(void) { return 42; }");
    const library = `${folder}/libanswer.so`;
    const built = await new Deno.Command("gcc", {
      args: ["-shared", "-fPIC", "-o", library, `${folder}/answer.c`],
    }).output();
    strictEqual(built.success, true);
    await Deno.writeTextFile(
      `${folder}/worker.ts`,
      `import { pinLibrary } from ${
        JSON.stringify(new URL("./pin_library.ts", import.meta.url).href)
      };
      const path = ${JSON.stringify(library)};
      const { symbols } = Deno.dlopen(path, { answer: { parameters: [], result: "i32" } });
      pinLibrary(path);
      self.postMessage(symbols.answer());`,
    );
    const lines = await runScript(`
      const worker = new Worker("file://${folder}/worker.ts", { type: "module" });
      console.log((await new Promise((resolve) => worker.onmessage = resolve)).data);
      worker.terminate();
      // The Worker's thread ends some time after terminate(): its name tells.
      const threads = () => [...Deno.readDirSync("/proc/self/task")].some(({ name }) => {
        try {
          return Deno.readTextFileSync("/proc/self/task/" + name + "/comm").startsWith("worker");
        } catch {
          return false;
        }
      });
      const deadline = Date.now() + 10_000;
      while (threads() && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      console.log(Deno.readTextFileSync("/proc/self/maps").includes("libanswer.so"));`);
    deepStrictEqual(lines, ["42", "true"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("pinLibrary() of a library that is not there is false", () => {
  strictEqual(pinLibrary(`/tmp/no-such-${crypto.randomUUID()}.so`), false);
});
