import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";

const DATA = new URL("../data/", import.meta.url);

/** A JSON file of `tests/data`. */
// Recorded cases differ in shape: every test names the members that it reads.
export function readJson<T>(path: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(path, DATA)));
}

/** A file of `tests/data`, unpacked if its name ends in `.gz`. */
export function readData(path: string): Uint8Array {
  const bytes = Deno.readFileSync(new URL(path, DATA));
  return path.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}

/** Lower-case hex of bytes. */
export function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** SHA-256 of bytes, hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
