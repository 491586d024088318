import { deepStrictEqual, ok } from "node:assert/strict";
import { END_TO_END, LONGEST, UNITS } from "./test_folders.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const NOT_OURS = new Set(["node_modules", "dist"]);

/** Whether there is a test anywhere in a folder. */
function holdsTests(folder: string): boolean {
  return [...Deno.readDirSync(folder)].some(({ name, isDirectory }) =>
    isDirectory ? holdsTests(`${folder}/${name}`) : /_test\.tsx?$/.test(name)
  );
}

Deno.test("every folder that holds tests is among those that are run", () => {
  const folders = [...Deno.readDirSync(ROOT)].filter(({ name, isDirectory }) =>
    isDirectory && !name.startsWith(".") && !NOT_OURS.has(name) && holdsTests(`${ROOT}${name}`)
  ).map(({ name }) => name);
  deepStrictEqual(folders.toSorted(), [...UNITS, ...END_TO_END].toSorted());
});

Deno.test("files that are begun first are there, in folders that are run", () => {
  const folders = [...UNITS, ...END_TO_END];
  for (const file of LONGEST) {
    ok(Deno.statSync(ROOT + file).isFile && folders.includes(file.split("/")[0]!), file);
  }
});
