/**
 * config_deployer: keeps the config file and the services of a server at the current config of the store.
 *
 * @module
 */
import { ipcFolder, limited, readEnv, runService, UsageError } from "../../lib/service/mod.ts";
import { openStore, resolveStore } from "../../lib/store/mod.ts";
import { configFile } from "./config_file.ts";
import { Deployer } from "./deployer.ts";
import { CommandRestarter, type Restarter, RunRestarter } from "./restarter.ts";
import { lockedGate } from "./run_gate.ts";

await runService({
  name: "config_deployer",
  summary:
    "Takes up the current config of the store: checks it, writes the file, has services started again.",
  config: "none",
  arguments: (program) =>
    program
      .argument("<server>", "name of this server, as deployments show it")
      .requiredOption("--file <path>", "where services read their config from, absolute")
      .option(
        "--store <address>",
        "redis://… or sqlite:/path (env: STD_DAQ_STORE, REDIS_URL, REDIS_HOST)",
      )
      .option("--run <address>", "where daq run is asked to take it up, ipc://…")
      .option(
        "--restart-command <words...>",
        "instead: program and arguments for each affected service, e.g. systemctl try-restart {service}@JF.service",
      ),
  async run(service): Promise<void> {
    const { args: [server], options, logger, signal, stopped, ready, onStop, onHealth, fail } =
      service;
    const note = limited(logger, "notes", 20);
    const found = resolveStore({ address: options.store, env: readEnv });
    if (found === undefined) {
      throw new UsageError(
        "where is the store? Give --store redis://… or sqlite:/…, or STD_DAQ_STORE",
      );
    }
    const { address, ...secrets } = found;
    const store = await openStore(address, {
      ...secrets,
      onNote: (message) => logger.warning("{message}", { message }),
    });
    onStop(() => store[Symbol.asyncDispose](), "store");
    const deployer = new Deployer({
      server: checkServer(server),
      store,
      file: configFile(checkFile(options.file)),
      gate: lockedGate(ipcFolder(), (message) => note.log("warning", "{message}", { message })),
      restarter: restarterFor(options),
      onNote: (level, message) => note.log(level, "{message}", { message }),
    });
    const running = deployer.run(signal).catch(fail);
    onHealth("config", () => deployer.state.endsWith(": Error") ? deployer.state : null);
    onHealth("store", () => store.problem);
    ready({ server, file: options.file });
    await stopped;
    await running;
  },
});

/** @throws {UsageError} If it cannot be shown and told apart from others. */
function checkServer(server: string): string {
  if (/^[\w][\w.-]{0,63}$/.test(server)) return server;
  throw new UsageError(
    `server name ${JSON.stringify(server)}: give up to 64 letters, digits, "_", "." and "-"`,
  );
}

/** @throws {UsageError} If it is no absolute path, or leads somewhere else. */
function checkFile(path: string): string {
  if (/^(\/(?!\.{1,2}(?:\/|$))[^/\0]+)+$/.test(path)) return path;
  throw new UsageError(
    `--file ${path} is no plain absolute path: give one such as /etc/std-daq/JF.json`,
  );
}

/** @throws {UsageError} If there is none, or two. */
function restarterFor(
  { run, restartCommand }: { run?: string | undefined; restartCommand?: string[] | undefined },
): Restarter {
  if (run !== undefined && restartCommand === undefined) {
    if (!run.startsWith("ipc:///")) {
      throw new UsageError(`--run ${run}: give the address that daq run prints, ipc:///tmp/…-run`);
    }
    return new RunRestarter(run);
  }
  if (run === undefined && restartCommand !== undefined) {
    return new CommandRestarter(wordsOf(restartCommand));
  }
  throw new UsageError("give either --run, for services of daq run, or --restart-command");
}

/** One quoted text is taken apart at its spaces: options in it are the program's, not ours. */
function wordsOf(command: readonly string[]): readonly string[] {
  return command.length === 1 ? command[0]!.trim().split(/\s+/) : command;
}
