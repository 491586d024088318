/** Folders whose unit tests stand beside the code; they run in parallel. */
export const UNITS: readonly string[] = ["lib", "services", "scripts", "bench"];

/** Folders of tests that start whole pipelines; they run after the unit tests. */
export const END_TO_END: readonly string[] = ["tests"];

/**
 * Files that take longest, begun before the others of their folders: one that is begun last keeps a single core busy
 * while the others have nothing left to do.
 */
export const LONGEST: readonly string[] = [
  "scripts/write_a_service_test.ts",
  "tests/accounting_test.ts",
  "tests/restarts_test.ts",
  "tests/writer_requests_test.ts",
];
