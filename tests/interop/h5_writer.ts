// deno-lint-ignore-file no-console -- its output is what the test waits for
/**
 * A process that writes image files of the tests' pattern, to be killed or to run out of space.
 *
 * - `append <file>`: prints "ready" once the file exists, then appends until it is killed;
 * - `compress <file>`: the same with compressed images;
 * - `files <folder>`: prints "ready", then creates and closes files 0.h5, 1.h5, … until killed;
 * - `fill <preallocate> <file>…`: fills each until it fails, closes it, prints a line of JSON.
 */
import { File, NewFile, OsError } from "../../lib/os/mod.ts";
import { type ImageCompression, ImageFile, type ImageFileOptions } from "../../lib/hdf5/mod.ts";
import { appendPatternImage } from "./h5_images.ts";

const OPTIONS: ImageFileOptions = {
  detector: "DET",
  height: 8,
  width: 16,
  pixelType: "uint16",
  expectedImages: 0,
  attributes: { start: "now" },
  counters: ["good", "lost"],
  alignBytes: 8,
};

function append(images: ImageFile, options = OPTIONS): void {
  appendPatternImage(images, images.appendedImages, options);
}

function appendForever(path: string, compression: ImageCompression): never {
  using file = File.open(path, { write: true, create: "exclusive" });
  const options = { ...OPTIONS, compression };
  const images = ImageFile.create(file, options);
  console.log("ready");
  while (true) {
    append(images, options);
    images.setCounters({ good: BigInt(images.appendedImages) });
    if (images.appendedImages % 71 === 0) images.publish();
  }
}

function createForever(folder: string): never {
  console.log("ready");
  for (let n = 0;; n++) {
    using made = NewFile.beneath(folder, `${n}.h5`, 0o644);
    using file = made.file;
    const images = ImageFile.create(file, OPTIONS);
    made.place();
    for (let i = 0; i < 5 * (n % 30); i++) append(images);
    images.setCounters({ good: BigInt(images.appendedImages) });
    images.close({ attributes: { end: "then" } });
  }
}

function fill(path: string, preallocate: boolean): void {
  using file = File.open(path, { write: true, create: "exclusive" });
  const images = ImageFile.create(file, { ...OPTIONS, preallocate });
  let code = "";
  while (code === "") {
    try {
      append(images);
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      code = error.code;
    }
  }
  images.setCounters({ good: BigInt(images.appendedImages) });
  images.close({ attributes: { end: "full" } });
  console.log(JSON.stringify({ code, appended: images.appendedImages }));
}

const [mode = "", ...rest] = Deno.args;
if (mode === "append") appendForever(rest[0]!, "none");
if (mode === "compress") appendForever(rest[0]!, "bitshuffle-lz4");
if (mode === "files") createForever(rest[0]!);
if (mode === "fill") { for (const path of rest.slice(1)) fill(path, rest[0] === "true"); }
