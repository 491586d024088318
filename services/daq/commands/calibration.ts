import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { loadConfig } from "../../../lib/config/mod.ts";
import type { CalibrationRequest, CalibrationState } from "../../../lib/protocol/mod.ts";
import type { DaqContext } from "../context.ts";
import { askAssembler } from "../calibration_client.ts";
import { rows } from "../format.ts";

/** `daq calibration`: what images are corrected with, and another pedestal for the next ones. */
export function calibrationCommand(context: DaqContext): CommandUnknownOpts {
  const ask = async (
    configPath: string,
    request: CalibrationRequest,
    json: boolean | undefined,
  ): Promise<void> => {
    const { config } = await loadConfig(resolve(configPath));
    const state = await askAssembler(config, request, context);
    context.out(json ? JSON.stringify(state) + "\n" : rows(stateRows(state)));
  };
  return new Command("calibration")
    .description("Show or change the calibration that images are corrected with.")
    .addCommand(
      new Command("load")
        .description(
          "Have the next images made with another pedestal file. Its gains and pixel mask are used, too, " +
            "if it has any. Returns when it is in force.",
        )
        .argument("<config>", "detector config, a JSON file")
        .argument("<file>", "pedestal file, in a folder of the config's calibration files")
        .option("--json", "print one line of JSON")
        .action(async (configPath, file, { json }) =>
          await ask(configPath, { command: "load", file: resolve(file) }, json)
        ),
    )
    .addCommand(
      new Command("status")
        .description("Show the calibration in force.")
        .argument("<config>", "detector config, a JSON file")
        .option("--json", "print one line of JSON")
        .action(async (configPath, { json }) => await ask(configPath, { command: "status" }, json)),
    );
}

function stateRows(state: CalibrationState): [string, string][] {
  const { masked } = state;
  const files = (path: string | readonly string[]): string => [path].flat().join(" ");
  return [
    ["calibration", state.calibration_id],
    ["loaded", state.loaded],
    ["gains", files(state.gains)],
    ["pedestal", files(state.pedestal)],
    ["pixel mask", state.pixel_mask === null ? "none" : files(state.pixel_mask)],
    [
      "masked",
      `${masked.mask} by the mask, ${masked.gain} without gain, ${masked.pedestal} without pedestal`,
    ],
  ];
}
