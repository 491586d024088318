/** Folders whose unit tests stand beside the code; they run in parallel. */
export const UNITS: readonly string[] = ["lib", "services", "scripts", "bench"];

/** Folders of tests that start whole pipelines; they run after the unit tests. */
export const END_TO_END: readonly string[] = ["tests"];
