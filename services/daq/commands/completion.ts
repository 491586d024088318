import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import tab from "@bomb.sh/tab/commander";

/**
 * `daq completion <shell>` prints the completion script of a shell; `daq complete -- …`, hidden, is what that
 * script calls at each press of Tab. Both follow from the commands and options that `program` has.
 */
export function addCompletion(program: CommandUnknownOpts): void {
  // tab is typed for commander's own Command, of which the typed one is a description.
  tab(program as unknown as Parameters<typeof tab>[0], { completionCommandName: "completion" });
}
