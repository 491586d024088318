/**
 * Checks that imports point down the list of layers and never sideways: from a library only into
 * lower ones, from a service into libraries, never into another service; and that a service's
 * Worker does not load what only a process needs. Tests and what only tests use are free.
 *
 *     deno run --allow-read=. scripts/layers.ts
 *
 * @module
 */
import { dirname, join, normalize } from "node:path/posix";
import { fileURLToPath } from "node:url";

/** Folders from bottom to top; those in one row know nothing of each other. */
export const LAYERS: readonly (readonly string[])[] = [
  ["wasm", "proto", "deno.json"],
  ["lib/os", "lib/validation"],
  ["lib/zmq", "lib/kernels"],
  ["lib/ring"],
  ["lib/config", "lib/protocol", "lib/hdf5", "lib/host"],
  ["lib/detector"],
  [
    "lib/receive",
    "lib/assemble",
    "lib/simulate",
    "lib/acquisition",
    "lib/calibration",
    "lib/preview",
    "lib/transfer",
    "lib/transform",
  ],
  ["lib/accounting", "lib/nexus"],
  ["lib/writer", "lib/broker", "lib/store"],
  ["lib/http", "lib/service", "lib/files"],
  ["services"],
];

/** An import that must not be. */
export interface Violation {
  /** File that imports, relative to the repository. */
  file: string;
  /** The specifier as written. */
  specifier: string;
  /** What is wrong with it. */
  reason: string;
}

/** A module that a service starts as a Worker. */
const WORKER = /^services\/[^/]+\/(\w+_)?worker\.ts$/;

const IMPORT =
  /^\s*(?:import|export)\b[^;"']*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;

/**
 * Finds imports that point up or sideways.
 *
 * @param sources Text of the files under `lib` and `services`, by path relative to the repository.
 * @returns The offending imports, by file.
 */
export function findViolations(sources: ReadonlyMap<string, string>): Violation[] {
  const violations: Violation[] = [];
  for (const file of productionFiles(sources)) {
    for (const specifier of importsOf(sources.get(file) ?? "")) {
      const reason = judge(file, resolve(file, specifier));
      if (reason !== undefined) violations.push({ file, specifier, reason });
    }
  }
  return violations;
}

/** Why `from` must not import `to`; undefined when it may. */
function judge(from: string, to: string): string | undefined {
  if (WORKER.test(from) && to === "lib/service/mod.ts") {
    return "it makes a Worker load what only a process needs: import the file that has it";
  }
  const [own, other] = [folderOf(from), folderOf(to)];
  if (own === other) return undefined;
  const [ownLevel, otherLevel] = [levelOf(own), levelOf(other)];
  for (const [folder, level] of [[own, ownLevel], [other, otherLevel]] as const) {
    if (level < 0) return `${folder} is in no layer: add it to LAYERS in scripts/layers.ts`;
  }
  if (otherLevel < ownLevel) return undefined;
  const direction = otherLevel > ownLevel ? "above" : "beside";
  return `${other} is ${direction} ${own}: move what both need further down`;
}

/** The unit a file belongs to: `lib/<name>`, `services/<name>`, or its top folder. */
function folderOf(path: string): string {
  const parts = path.split("/");
  const deep = parts[0] === "lib" || parts[0] === "services";
  return parts.slice(0, deep ? 2 : 1).join("/");
}

function levelOf(folder: string): number {
  const name = folder.startsWith("services/") ? "services" : folder;
  return LAYERS.findIndex((row) => row.includes(name));
}

/** Relative specifiers of a source; imports in comments do not count. */
function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return [...code.matchAll(IMPORT)].map((m) => m[1] ?? m[2] ?? m[3] ?? "")
    .filter((specifier) => specifier.startsWith("."));
}

function resolve(file: string, specifier: string): string {
  return normalize(join(dirname(file), specifier));
}

/** All files but tests; a private file (`_name.ts`) counts when a counted file imports it. */
function productionFiles(sources: ReadonlyMap<string, string>): Set<string> {
  const files = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file) || !sources.has(file) || isTest(file)) return;
    files.add(file);
    for (const specifier of importsOf(sources.get(file) ?? "")) visit(resolve(file, specifier));
  };
  for (const file of [...sources.keys()].sort()) {
    if (!/(^|\/)_[^/]*$/.test(file)) visit(file);
  }
  return files;
}

function isTest(file: string): boolean {
  return /_test\.[jt]sx?$|(^|\/)testdata\//.test(file);
}

/** Reads all sources below `folder`, keyed by their path relative to `root`. */
function readSources(root: string, folder: string, into: Map<string, string>): void {
  for (const entry of Deno.readDirSync(join(root, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) readSources(root, path, into);
    else if (/\.[jt]sx?$/.test(entry.name)) into.set(path, Deno.readTextFileSync(join(root, path)));
  }
}

/** Checks the repository at `root`; returns one line `file: import: reason` per violation. */
export function checkLayers(root: string): string[] {
  const sources = new Map<string, string>();
  for (const folder of ["lib", "services"]) readSources(root, folder, sources);
  return findViolations(sources).map(({ file, specifier, reason }) =>
    `${file}: ${specifier}: ${reason}`
  );
}

if (import.meta.main) {
  const lines = checkLayers(fileURLToPath(new URL("..", import.meta.url)));
  for (const line of lines) Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
  Deno.exitCode = lines.length > 0 ? 1 : 0;
}
