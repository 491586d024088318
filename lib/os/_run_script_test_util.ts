/**
 * Runs a script in a Deno process of its own, for tests of what belongs to a whole process.
 *
 * @param script TypeScript source; give imports as absolute URLs.
 * @param args Arguments of `deno run`; default all permissions.
 * @returns The lines it printed.
 * @throws {Error} With what it wrote to stderr if it failed.
 */
export async function runScript(script: string, args: string[] = ["-A"]): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-lock", ...args, "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n");
}
