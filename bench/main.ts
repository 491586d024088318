/**
 * The bench: what must be fast, against yardsticks in C, in the same session.
 *
 *   deno task bench [--quick | --long] [row…]
 *
 * Prints a table; a run of all rows without `--quick` writes it to bench/results.md. Read bench/README.md for
 * what is measured.
 *
 * @module
 */
import { BENCH_TOOLS, installTestTools } from "../scripts/test_tools.ts";
import { type Figure, type RowName, ROWS, table, verdict } from "./_figure.ts";
import { describeMachine } from "./_machine.ts";
import { removeAll } from "./_names.ts";
import { compileNative } from "./_run.ts";
import { broker } from "./broker.ts";
import { correction } from "./correction.ts";
import { geometry } from "./geometry.ts";
import { gigafrost } from "./gigafrost.ts";
import { images } from "./images.ts";
import { kernels } from "./kernels.ts";
import { latency } from "./latency.ts";
import { others } from "./others.ts";
import { pedestal } from "./pedestal.ts";
import { pipelines } from "./pipelines.ts";
import { receive } from "./receive.ts";
import { services } from "./services.ts";
import { sustained } from "./sustained.ts";
import { write } from "./write.ts";
import { print } from "./_print.ts";

const quick = Deno.args.includes("--quick"), thorough = Deno.args.includes("--long");
const wanted = Deno.args.filter((argument) => argument !== "--quick" && argument !== "--long");
const unknown = wanted.find((name) => !ROWS.some((row) => row === name));
if (unknown !== undefined) {
  print(`There is no row ${unknown}. Choose from: ${ROWS.join(", ")}`);
  Deno.exit(2);
}
if (navigator.hardwareConcurrency < 2) {
  print("The bench needs two CPUs: one sends, the other receives.");
  Deno.exit(2);
}

Deno.addSignalListener("SIGINT", () => {
  removeAll(); // the programs that were started have had the signal too
  Deno.exit(130);
});

/** So many rounds, fewer of them with `--quick`, thrice as many with `--long`. */
const rounds = (normal: number, fewer: number): number =>
  quick ? fewer : thorough ? 3 * normal : normal;

const MEASURE: Record<RowName, () => Promise<Figure[]>> = {
  receive: () => receive(rounds(7, 3)),
  sustained: () => sustained(quick ? 3 : 10, rounds(5, 1)),
  pipelines: () => pipelines(),
  kernels: () => kernels(rounds(5, 3)),
  geometry: () => geometry(rounds(5, 3)),
  gigafrost: () => gigafrost(rounds(5, 3)),
  correction: () => correction(rounds(5, 2)),
  pedestal: () => pedestal(rounds(5, 3)),
  others: () => others(rounds(5, 2)),
  images: () => images(rounds(5, 3)),
  write: () => write(rounds(7, 3), quick),
  latency: () => latency(quick ? 300 : 1500),
  services: () => services(rounds(5, 2)),
  broker: () => broker(rounds(5, 2), quick ? 500 : 2000),
};

try {
  await installTestTools(BENCH_TOOLS); // gcc, the bitshuffle package, the HDF5 library
} catch (error) {
  print(
    `${error instanceof Error ? error.message : error} Rows that need them fail or are left out.`,
  );
}
const machine = await describeMachine();
print(machine + "\n");
await compileNative();
const figures: Figure[] = [];
for (const row of ROWS) {
  if (wanted.length > 0 && !wanted.includes(row)) continue;
  const measured = await MEASURE[row]();
  print(table(measured) + "\n");
  figures.push(...measured);
}
const short = figures.filter((figure) => verdict(figure) === "short");
if (!quick && wanted.length === 0) {
  const text = `# Results of the bench\n\n${machine}\n\n${table(figures)}\n\n` +
    "How to read it, and what limits each figure: [README.md](README.md).\n";
  await Deno.writeTextFile(new URL("results.md", import.meta.url), text);
}
print(
  short.length === 0
    ? "All figures are as asked."
    : `Short: ${short.map(({ name }) => name).join("; ")}`,
);
