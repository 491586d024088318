/** Addresses that this process may not connect to, by Deno's permissions. */

/** Whether a connection failed since this process has no permission for it; no other attempt changes that. */
export function isNetRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // An address is refused by Deno itself; a name by what looks it up, as the system would.
  return error.name === "NotCapable" || ("code" in error && error.code === "EPERM");
}

/** What to do about it. */
export function netHint(hostname: string, port: number): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `this process has no permission to connect to it: add ${host}:${port} to "net" of its ` +
    `permission set in deno.json, or start it with --allow-net=${host}:${port}`;
}
