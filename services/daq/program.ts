import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { DaqApiError, DaqUnreachableError } from "../../lib/http/mod.ts";
import { ExitCode, exitCodeOf } from "../../lib/service/mod.ts";
import { calibrationCommand } from "./commands/calibration.ts";
import { addCompletion } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { deploymentCommand, logsCommand, statsCommand } from "./commands/history.ts";
import { hostCommand } from "./commands/host.ts";
import { fileCommand } from "./commands/file.ts";
import { pedestalCommand } from "./commands/pedestal.ts";
import { monitorCommand } from "./commands/monitor.ts";
import { replayCommand } from "./commands/replay.ts";
import { killCommand, requestCommand } from "./commands/request.ts";
import { runCommand } from "./commands/run.ts";
import { simulateCommand } from "./commands/simulate.ts";
import { statusCommand } from "./commands/status.ts";
import { stopCommand } from "./commands/stop.ts";
import { writeCommand } from "./commands/write.ts";
import type { DaqContext } from "./context.ts";
import { oneLine } from "./format.ts";

/**
 * Runs the `daq` command line.
 *
 * @param args What follows `daq`.
 * @returns The exit status, of the services' table; see `README.md`.
 */
export async function runDaq(args: readonly string[], context: DaqContext): Promise<number> {
  try {
    await daqProgram(context).parseAsync(args, { from: "user" });
    return context.exitCode;
  } catch (error) {
    return report(error, context);
  }
}

/** The command line, ready to parse. */
export function daqProgram(context: DaqContext): CommandUnknownOpts {
  const program: CommandUnknownOpts = new Command("daq")
    .description("Run std-daq on this machine, and order files from it.")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out(text),
      writeErr: (text) => context.err(text),
      getOutHelpWidth: () => context.width(),
      getErrHelpWidth: () => context.width(),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const commands = [
    runCommand,
    writeCommand,
    fileCommand,
    statusCommand,
    stopCommand,
    simulateCommand,
    replayCommand,
    pedestalCommand,
    requestCommand,
    killCommand,
    monitorCommand,
    calibrationCommand,
    configCommand,
    deploymentCommand,
    hostCommand,
    logsCommand,
    statsCommand,
  ];
  for (const make of commands) {
    const command = make(context).copyInheritedSettings(program);
    for (const nested of command.commands) nested.copyInheritedSettings(program);
    program.addCommand(command);
  }
  addCompletion(program);
  return program;
}

function report(error: unknown, context: DaqContext): number {
  if (error instanceof Error && "code" in error && String(error.code).startsWith("commander.")) {
    // commander has said what was wrong, or has shown the help that was asked for
    return "exitCode" in error && error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  }
  if (context.signal.aborted && error === context.signal.reason) {
    context.err("interrupted\n");
    return ExitCode.failure;
  }
  // Of several lines; what others have written may be in them.
  const message = (error instanceof Error ? error.message : String(error))
    .split("\n").map(oneLine).join("\n");
  context.err(`${context.color ? "\x1b[31mdaq:\x1b[0m" : "daq:"} ${message}\n`);
  if (error instanceof DaqApiError) {
    const untold = error.issues.filter((issue) => !error.message.includes(issue.message));
    for (const { path, message } of untold) context.err(`  ${path}: ${oneLine(message)}\n`);
    return ExitCode.failure;
  }
  if (error instanceof DaqUnreachableError) return ExitCode.resource;
  return exitCodeOf(error);
}
