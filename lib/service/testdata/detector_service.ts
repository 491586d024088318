/** A service of a detector, for the tests. */
import { parseInteger, runService } from "../mod.ts";

await runService({
  name: "std_detector_test",
  summary: "Says what its config holds.",
  config: "detector",
  arguments: (program) => program.option("--twice <n>", "a number", parseInteger(1, 100), 1),
  async run({ config, configSource, options, ready, stopped }): Promise<void> {
    ready({ detector: config.detector_name, configSource, twice: 2 * options.twice });
    await stopped;
  },
});
