/** Prints a value as one line of JSON on stdout, all of it, also into a slow pipe. */
export function report(value: unknown): void {
  let bytes = new TextEncoder().encode(JSON.stringify(value) + "\n");
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}
