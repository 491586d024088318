import { basename, dirname } from "node:path";
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { FILE_FORMATS, loadConfig } from "../../../lib/config/mod.ts";
import { PIXEL_CHECKS } from "../../../lib/files/pixel_checks.ts";
import { stringifyJson } from "../../../lib/http/mod.ts";
import { PREVIEW_FORMATS } from "../../../lib/preview/preview_formats.ts";
import { parseInteger, UsageError, VERSION } from "../../../lib/service/mod.ts";
import type { DaqContext } from "../context.ts";
import { parseNexus } from "../parse_nexus.ts";

// What opens system calls is loaded when it is needed: `daq --help` asks for no permission.

/** `daq file`: looks at finished files, and makes others of them. */
export function fileCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("file")
    .description("Check, preview or convert a finished file.")
    .addCommand(checkCommand(context))
    .addCommand(previewCommand(context))
    .addCommand(convertCommand(context));
}

function checkCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("check")
    .description("Check that files hold what was asked for, and what NXmx requires.")
    .argument("<file...>", "HDF5 files of images, or master files")
    .addOption(
      new Option("--pixels <which>", "read the pixels of these images (default: sample)")
        .choices(PIXEL_CHECKS),
    )
    .option("--json", "print one line of JSON for each file")
    .action(async (files, { pixels = "sample", json }) => {
      const { checkFile, fileReportText } = await import("../../../lib/files/mod.ts");
      for (const file of files) {
        const report = await checkFile(file, { pixels, signal: context.signal });
        context.out(json ? `${stringifyJson(report)}\n` : fileReportText(report));
        if (!report.valid) context.exitCode = 1;
      }
    });
}

function previewCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("preview")
    .description("Draw some images of a file: a GIF that moves, or a PNG side by side.")
    .argument("<file>", "HDF5 file of images, or a master file")
    .argument("<picture>", "new file, .gif or .png")
    .option("-n, --images <n>", "how many, evenly over the file (default: 5)", parseInteger(1, 100))
    .option("--side <px>", "longest side of each, at most (default: 512)", parseInteger(16, 4096))
    .option("--overwrite", "take the place of a picture that is there")
    .action(async (file, picture, { images = 5, side = 512, overwrite = false }) => {
      const format = PREVIEW_FORMATS.find((format) => picture.endsWith(`.${format}`));
      if (format === undefined) {
        throw new UsageError(`${picture}: a picture is a .gif or a .png file`);
      }
      const { previewFile } = await import("../../../lib/preview/mod.ts");
      const { bytes, rows, range } = await previewFile(file, {
        ...{ format, images, longestSide: side, signal: context.signal },
      });
      const { writeWholeFile } = await import("../../../lib/os/mod.ts");
      try {
        writeWholeFile(picture, bytes, { overwrite });
      } catch (cause) {
        throw await saysTaken(cause, `${picture} exists already: add --overwrite, or name another`);
      }
      context.out(`${picture}: images ${rows.join(", ")}, from ${range.low} to ${range.high}\n`);
    });
}

function convertCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("convert")
    .description(
      "Show a file's images in a new, small file of another format, beside it; or copy them (--copy).",
    )
    .argument("<file>", "HDF5 file of images, or a master file; it stays as it is")
    .argument("<new>", "new .h5 file in the same folder; with --copy anywhere")
    .addOption(
      new Option("--format <format>", "its format").choices(FILE_FORMATS).makeOptionMandatory(),
    )
    .option(
      "--nexus <json>",
      "what a NeXus file tells of the experiment, besides the config",
      parseNexus,
    )
    .option("--config <config>", "the detector's config (default: the one in the file)")
    .option("--copy", "copy the images, so that the new file needs no other")
    .action(async (from, to, { format, nexus, config: configPath, copy }) => {
      const { convertFile } = await import("../../../lib/files/mod.ts");
      const { NewFile } = await import("../../../lib/os/mod.ts");
      const loaded = configPath === undefined ? undefined : await loadConfig(configPath);
      using made = NewFile.beneath(dirname(to), basename(to), 0o644, { sweep: true });
      convertFile({
        ...{ from, to, format, copy, software: `std-daq ${VERSION}`, config: loaded?.config },
        nexus: nexus === undefined ? undefined : JSON.stringify(nexus),
        createFile: () => made.file,
      });
      try {
        made.place();
      } catch (cause) {
        throw await saysTaken(cause, `${to} exists already: remove it, or name another`);
      }
      context.out(
        copy
          ? `${to}: a copy of the images of ${from}\n`
          : `${to}: the images of ${from}; keep both in one folder\n`,
      );
    });
}

/** What is to be thrown when a new file could not be put in its place: `message` if its name is taken. */
async function saysTaken(cause: unknown, message: string): Promise<unknown> {
  const { Errno, OsError } = await import("../../../lib/os/mod.ts");
  const isTaken = cause instanceof OsError && cause.errno === Errno.EEXIST;
  return isTaken ? new UsageError(message, { cause }) : cause;
}
