/** Answer of the health port. */
export interface HealthReport {
  /** `ok` when the service is ready and every check passes. */
  status: "ok" | "failing" | "starting" | "stopping";
  /** The service's name. */
  service: string;
  /** Its process. */
  pid: number;
  /** Since the start, s. */
  uptime_s: number;
  /** What the checks said: `null` is well, a text says what is wrong. */
  checks: Record<string, string | null>;
  /** The same values as in the stats log. */
  stats: Record<string, unknown>;
}

/**
 * Serves a health report as JSON on 127.0.0.1: status 200 when it is `ok`, 503 otherwise. Anything but
 * `GET /health` is 404; a request under a foreign host name is refused, since a page in a browser could send
 * it (DNS rebinding).
 *
 * @param port 0 takes a free one.
 * @param report Makes the report, for each request.
 */
export function serveHealth(
  port: number,
  report: () => HealthReport,
): { port: number; stop(): Promise<void> } {
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
    const { hostname, pathname } = new URL(request.url);
    if (hostname !== "127.0.0.1" && hostname !== "localhost") {
      return Response.json({ status: "error", message: "wrong host name" }, { status: 403 });
    }
    if (request.method !== "GET" || pathname !== "/health") {
      return Response.json({ status: "error", message: "try GET /health" }, { status: 404 });
    }
    const body = report();
    const text = JSON.stringify(body, (_key, v) => typeof v === "bigint" ? Number(v) : v);
    return new Response(text, {
      status: body.status === "ok" ? 200 : 503,
      headers: { "content-type": "application/json" },
    });
  });
  return { port: server.addr.port, stop: () => server.shutdown() };
}
