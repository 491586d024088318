/** A service with a config of its own, for the tests; `--need` makes one necessary. */
import { z } from "zod";
import { defaultServiceSetup } from "../mod.ts";

const greeting = z.string();
const service = await defaultServiceSetup({
  name: "std_configured_test",
  summary: "Says what its config holds.",
  config: z.object({
    greeting: Deno.args.includes("--need") ? greeting : greeting.default("hello"),
  }),
  arguments: (program) => program.argument("[words...]").option("--need", "a config is necessary"),
});
const { config, configSource, args: [words], logger } = service;
logger.info("set up");
service.onStats(() => ({ words: words.length }));
await service.run(async () => {
  service.ready({ greeting: config.greeting, configSource });
  await service.stopped;
});
