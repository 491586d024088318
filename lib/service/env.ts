/**
 * An environment variable, if this process may read it. Never asks for permission and never throws.
 *
 * @param name The variable.
 * @returns Its value; `undefined` when it is not set, empty, or not permitted.
 */
export function readEnv(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") {
    return undefined;
  }
  return Deno.env.get(name) || undefined;
}
