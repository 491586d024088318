/** Addresses that this process may not connect to, by Deno's permissions, and how those are named. */

/** A host for a URL or a permission: an address of IPv6 has brackets there, which need not be given. */
export function bracketed(host: string): string {
  return /^[0-9a-f:.%]*:[0-9a-f:.%]*:[0-9a-z:.%]*$/i.test(host) ? `[${host}]` : host;
}

/** Host and port, as Deno's `net` permission names them. */
export function netAddress(host: string, port: number): string {
  return `${bracketed(host)}:${port}`;
}

/** Whether a connection failed since this process has no permission for it; no other attempt changes that. */
export function isNetRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // An address is refused by Deno itself; a name by what looks it up, as the system would.
  return error.name === "NotCapable" || ("code" in error && error.code === "EPERM");
}

/** What to do about it. */
export function netHint(hostname: string, port: number): string {
  const address = netAddress(hostname, port);
  return `this process has no permission to connect to it: add ${address} to "net" of its ` +
    `permission set in deno.json, or start it with --allow-net=${address}`;
}
