/**
 * Keeps web pages of other origins away from an interface that has no login.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";

/** Names of this machine that need no permission. */
const LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/** How a refusal is answered. */
export type Refuse = (message: string) => Response;

/**
 * Refuses requests whose `Host` is not this machine (DNS rebinding: a page's own name pointed here)
 * and requests that a page of another origin makes (`Origin`).
 *
 * @param allowedHosts Further host names, without port.
 */
export function hostGuard(allowedHosts: readonly string[], refuse: Refuse): MiddlewareHandler {
  const allowed = new Set([...LOCAL_HOSTS, ...allowedHosts.map((host) => host.toLowerCase())]);
  return async (c, next) => {
    const host = c.req.header("host") ?? "";
    if (!allowed.has(hostName(host))) {
      return refuse(
        `Host ${JSON.stringify(host)} is not served. Use http://127.0.0.1, or start the agent ` +
          "with --allow-host for this name.",
      );
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && !(URL.canParse(origin) && allowed.has(new URL(origin).hostname))) {
      return refuse(`Requests from pages of ${JSON.stringify(origin)} are not served.`);
    }
    return await next();
  };
}

/** The name in a `Host` header, lower case, without port. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, "");
}
