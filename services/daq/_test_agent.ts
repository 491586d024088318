import { stringifyJson, type Writer } from "../../lib/http/mod.ts";

/** A stand-in for the writer agent, on a free port. */
export interface TestAgent extends AsyncDisposable {
  /** Its address. */
  readonly url: string;
  /** Requests so far, as `METHOD /path body`. */
  readonly requests: string[];
}

/** A writer in a given state. */
export function writer(
  more: { done?: number; state?: string; message?: string; reports?: unknown[] } = {},
): Writer {
  const { done = 3, state = "FINISHED", message = "Completed.", reports = [] } = more;
  return {
    state: state === "FINISHED" || state === "FAILED" ? "READY" : "WRITING",
    acquisition: {
      state: state as Writer["acquisition"]["state"], // tests give what the wire may hold
      message,
      info: { n_images: 3, output_file: "/data/x.h5", run_id: 2n ** 60n + 1n },
      stats: {
        n_write_requested: done,
        n_write_completed: done,
        n_lost: 0,
        n_missing: 0,
        n_failed: 0,
        n_not_taken: 0,
        start_time: 1,
        stop_time: 2,
      },
      image_ids: { lost: "", missing: "", failed: "" },
      reports,
    },
  };
}

/** The statistics that it gives. */
export const STATS = {
  stats: {
    detector: { bytes_per_second: 1.65e9, images_per_second: 1573.4 },
    writer: { bytes_per_second: 0, images_per_second: 0 },
  },
  accounting: { packets_received: 990, packets_accepted: 990, packets_lost: 10, images_good: 7 },
};

/**
 * Starts one.
 *
 * @param answer Gives `writer`, or an error, for the n-th request to `/writer/…`.
 */
export function testAgent(
  answer: (n: number) => Writer | { httpStatus: number; message: string; issues?: unknown },
): TestAgent {
  const requests: string[] = [];
  let n = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      requests.push(`${request.method} ${pathname} ${await request.text()}`.trim());
      const ok = { status: "ok", message: "" };
      if (pathname === "/daq/stats") return json({ ...ok, ...STATS });
      const given = answer(n++);
      if ("state" in given) return json({ ...ok, writer: given });
      const { httpStatus, ...rest } = given;
      return json({ status: "error", ...rest }, httpStatus);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function json(value: unknown, status = 200): Response {
  return new Response(stringifyJson(value), {
    status,
    headers: { "content-type": "application/json" },
  });
}
