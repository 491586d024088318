import assert from "node:assert/strict";
import { DaqApiError, DaqClient, DaqUnreachableError, stringifyJson, type Writer } from "./mod.ts";

const RUN_ID = 1784000000123456789n;

function writer(state: Writer["acquisition"]["state"]): Writer {
  return {
    state: state === "FINISHED" ? "READY" : "WRITING",
    acquisition: {
      state,
      message: "",
      info: { n_images: 3, output_file: "/data/x.h5", run_id: RUN_ID },
      stats: {
        n_write_requested: 0,
        n_write_completed: 0,
        n_lost: 0,
        n_missing: 0,
        n_failed: 0,
        n_not_taken: 0,
        start_time: 1.5,
        stop_time: null,
      },
      image_ids: { lost: "", missing: "", failed: "" },
      reports: [],
    },
  };
}

/** A client of a server that answers with `respond`. */
async function withServer(
  respond: (request: Request, body: string) => Response | Promise<Response>,
  body: (client: DaqClient) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => respond(request, await request.text()),
  );
  await body(new DaqClient({ baseUrl: `http://127.0.0.1:${server.addr.port}/` }));
}

const json = (value: unknown, status = 200): Response =>
  new Response(stringifyJson(value), { status, headers: { "content-type": "application/json" } });

Deno.test("DaqClient sends a request and reads the run id exactly", async () => {
  const seen: string[] = [];
  await withServer((request, body) => {
    seen.push(`${request.method} ${new URL(request.url).pathname} ${body}`);
    return json({ status: "ok", message: "", writer: writer("WAITING_IMAGES") });
  }, async (client) => {
    const request = { n_images: 3, output_file: "/data/x.h5", run_id: RUN_ID };
    const answer = await client.writeAsync(request);
    assert.equal(answer.acquisition.info.run_id, RUN_ID);
    await client.writeSync(request);
    await client.stop();
  });
  const body = `{"n_images":3,"output_file":"/data/x.h5","run_id":${RUN_ID}}`;
  assert.deepEqual(seen, [
    `POST /writer/write_async ${body}`,
    `POST /writer/write_sync ${body}`,
    "POST /writer/stop ",
  ]);
});

Deno.test("DaqClient.waitForEnd() reports progress until the acquisition has ended", async () => {
  const states = ["WAITING_IMAGES", "ACQUIRING_IMAGES", "FINISHED"] as const;
  let asked = 0;
  await withServer(
    () => json({ status: "ok", message: "", writer: writer(states[asked++] ?? "FINISHED") }),
    async (client) => {
      const seen: string[] = [];
      const end = await client.waitForEnd(writer("WAITING_IMAGES"), {
        intervalMs: 1,
        onProgress: ({ acquisition }) => seen.push(acquisition.state),
      });
      assert.equal(end.acquisition.state, "FINISHED");
      assert.deepEqual(seen, states);
    },
  );
});

for (const other of [{ run_id: 7n }, { output_file: "/data/y.h5" }]) {
  const name = Object.entries(other).join(" ");
  Deno.test(`DaqClient.waitForEnd() does not take another run's end for the one asked for: ${name}`, async () => {
    const theirs = writer("FINISHED");
    Object.assign(theirs.acquisition.info, other);
    const asked: string[] = [];
    await withServer(({ url }) => {
      asked.push(new URL(url).search);
      return json({ status: "ok", message: "", writer: theirs });
    }, (client) =>
      assert.rejects(client.waitForEnd(writer("WAITING_IMAGES")), (error) => {
        assert.ok(error instanceof DaqApiError);
        assert.match(
          error.message,
          /^Run 1784000000123456789 \(\/data\/x\.h5\) is over, .* tells of/,
        );
        return true;
      }));
    assert.deepEqual(asked, [`?run_id=${RUN_ID}`]);
  });
}

Deno.test("DaqClient throws the server's message and issues, whatever the HTTP status", async () => {
  for (const status of [400, 200]) {
    const issues = [{ path: "n_images", message: "too small" }];
    await withServer(
      () => json({ status: "error", message: "no", issues }, status),
      (client) =>
        assert.rejects(client.status(), (error) => {
          assert.ok(error instanceof DaqApiError);
          assert.deepEqual([error.message, error.status, error.issues], ["no", status, issues]);
          return true;
        }),
    );
  }
});

Deno.test("DaqClient says so when something else answers", async () => {
  for (const answer of ["<html>", "{}", '{"status":"ok","message":"","writer":{}}']) {
    await withServer(
      () => new Response(answer),
      (client) =>
        assert.rejects(
          client.status(),
          (error) =>
            error instanceof DaqUnreachableError && /Check the address/.test(error.message),
        ),
    );
  }
});

Deno.test("DaqClient says what to do when nothing listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assert.rejects(
    new DaqClient({ baseUrl: `http://127.0.0.1:${port}` }).status(),
    (error) => error instanceof DaqUnreachableError && /daq run/.test(error.message),
  );
});

Deno.test("DaqClient passes the caller's abort on", async () => {
  const reason = new Error("enough");
  await withServer(
    () => json({ status: "ok", message: "", writer: writer("WAITING_IMAGES") }),
    async (client) => {
      await assert.rejects(client.status(AbortSignal.abort(reason)), reason);
      const controller = new AbortController();
      const waiting = client.waitForEnd(writer("WAITING_IMAGES"), {
        signal: controller.signal,
        intervalMs: 60_000,
        onProgress: () => controller.abort(reason),
      });
      await assert.rejects(waiting, reason);
    },
  );
});

Deno.test("DaqClient refuses an address that is no URL", () => {
  assert.throws(() => new DaqClient({ baseUrl: "localhost:5000" }), /no URL/);
});
