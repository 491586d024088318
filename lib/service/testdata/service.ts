/** A service for the tests; what it does is told by `--act`. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { limited, runService, UsageError } from "../mod.ts";

const ACTS = [
  "wait",
  "return",
  "throw",
  "usage",
  "os",
  "hang",
  "lock",
  "reject",
  "worker",
  "worker-defect",
  "stop-order",
];

await runService({
  name: "std_test",
  summary: "Does as it is told.",
  config: "none",
  arguments: (program) =>
    program.argument("[words...]").option("--act <act>", "what to do", (act) => {
      if (!ACTS.includes(act)) throw new InvalidArgumentError(`one of ${ACTS.join(", ")}.`);
      return act;
    }, "wait").option("--die-after <ms>", "exit with status 1 after", Number),
  async run(service): Promise<void> {
    const { options, args: [words], logger, stopped } = service;
    service.onStats(() => ({ n_words: words.length, big: 2n ** 60n, rate: 1.5 }));
    service.onHealth("words", () => words.length > 0 ? null : "no words were given");
    if (options.dieAfter !== undefined) setTimeout(() => Deno.exit(1), options.dieAfter);
    switch (options.act) {
      case "return":
        return;
      case "throw":
        throw new Error("it {broke}", { cause: new TypeError("deep inside") });
      case "usage":
        throw new UsageError("no module 9: this detector has 0 to 3");
      case "os":
        throw Object.assign(new Error("bind 127.0.0.1:1: EADDRINUSE"), { name: "OsError" });
      case "reject":
        Promise.reject(new Error("nobody awaits this"));
        break;
      case "worker":
      case "worker-defect":
        service.startWorker(new URL("./worker.ts", import.meta.url), {
          name: "receive-0",
          init: { act: options.act === "worker" ? "die" : "break" },
          counters: [],
        });
        break;
      case "stop-order":
        for (const step of ["first", "second", "third"]) {
          service.onStop(() => logger.info("closing {step}", { step }), step);
        }
        limited(logger, "noise", 1).log("warning", "heard");
        limited(logger, "noise", 1).log("warning", "heard");
        limited(logger, "noise", 1).log("warning", "heard");
        break;
      case "lock": { // what two processes at once cannot have
        const [path = ""] = words;
        Deno.writeTextFileSync(path, "", { createNew: true });
        service.onStop(() => Deno.removeSync(path), "lock");
        break;
      }
      case "hang":
        service.onStop(() => new Promise(() => setInterval(() => {}, 1_000)), "hanging");
        break;
    }
    service.ready({ words, port: 5n });
    await stopped;
  },
});
