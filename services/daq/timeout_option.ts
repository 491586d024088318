import { Option } from "@commander-js/extra-typings";
import { parseInteger } from "../../lib/service/mod.ts";

/** Timers count 2^31 ms at most, 24.8 days: a longer time would be over at once. */
const LONGEST_S = 2_000_000;

/** `--timeout`: the longest wait, s. */
// The typings infer the option's name and value; naming the type would repeat them.
// deno-lint-ignore explicit-function-return-type
export function timeoutOption(defaultS: number) {
  return new Option("--timeout <s>", "longest wait, s")
    .argParser(parseInteger(1, LONGEST_S))
    .default(defaultS);
}
