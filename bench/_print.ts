/**
 * What the bench's programs print.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Prints a line. */
export function print(line: string): void {
  let bytes = encoder.encode(line + "\n");
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

/** Prints a value as a line of JSON. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}
