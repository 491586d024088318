import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { DaqApiError, DaqClient, parseJson } from "../../lib/http/mod.ts";
import { FakeImages, FakeWriter, until, WELL } from "./_fakes.ts";
import { type ApiOptions, createApi } from "./api.ts";
import { AcquisitionController } from "./controller.ts";

/** A served interface with everything behind it faked. */
interface World {
  base: string;
  root: string;
  client: DaqClient;
  controller: AcquisitionController;
  writer: FakeWriter;
  images: FakeImages;
}

async function withApi(
  body: (world: World) => Promise<void>,
  options: Partial<ApiOptions> & { writerTimeoutMs?: number } = {},
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: `agent_api_${Deno.pid}_` });
  const writer = new FakeWriter();
  const images = new FakeImages();
  const { writerTimeoutMs = 5000, ...apiOptions } = options;
  const controller = new AcquisitionController({ writer, images, writerTimeoutMs });
  const rate = { images_per_second: 2, bytes_per_second: 24 };
  const api = createApi({
    controller,
    dataRoots: [root],
    readRates: () => ({ detector: rate, writer: rate }),
    readAccounting: () => ({ packets_received: 2n ** 60n }),
    ...apiOptions,
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, api.fetch);
  const base = `http://127.0.0.1:${server.addr.port}`;
  try {
    const client = new DaqClient({ baseUrl: base });
    await body({ base, root, client, controller, writer, images });
  } finally {
    controller.close();
    await server.shutdown();
    await Deno.remove(root, { recursive: true });
  }
}

/** Sends a body as it is; returns status and parsed answer. */
async function post(
  url: string,
  body: string,
  headers: Record<string, string> = { "content-type": "application/json" },
): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(url, { method: "POST", body, headers });
  return { status: response.status, answer: Object(parseJson(await response.text())) };
}

/** A GET with any headers, `Host` included, which fetch would not let through. */
function getWith(base: string, path: string, headers: Record<string, string>): Promise<number> {
  const { port } = new URL(base);
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ host: "127.0.0.1", port, path, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    asked.on("error", reject);
    asked.end();
  });
}

const refusal = (status: number, message: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof DaqApiError, String(error));
  assert.equal(error.status, status, error.message);
  assert.match(error.message, message);
  return true;
};

Deno.test("write_sync answers when the file is closed", async () => {
  await withApi(async ({ client, root, images, writer, controller }) => {
    const run_id = 1784000000123456789n;
    const request = { n_images: 2, output_file: `${root}/a.h5`, run_id, user: "me" };
    const writing = client.writeSync(request);
    await until("started", () => controller.status.acquisition.info.runId === run_id);
    await until("images taken", () => writer.commands.length > 0);
    images.publish();
    images.publish();
    const { state, acquisition } = await writing;
    assert.equal(state, "READY");
    assert.equal(acquisition.state, "FINISHED");
    assert.equal(acquisition.message, "Completed.");
    assert.deepEqual(acquisition.info, { n_images: 2, output_file: `${root}/a.h5`, run_id });
    assert.equal(acquisition.stats.n_write_completed, 2);
    assert.ok(Number(acquisition.stats.stop_time) >= Number(acquisition.stats.start_time));
    const [create] = writer.commands;
    assert.ok(create?.action === "create_file");
    assert.deepEqual(parseJson(create.request.json), request);
  });
});

Deno.test("a request longer than what files keep of it is refused", async () => {
  await withApi(async ({ client, root, writer }) => {
    const request = { n_images: 2, output_file: `${root}/a.h5` };
    await assert.rejects(
      client.writeAsync({ ...request, sample: "x".repeat(33_000) }),
      /the request: 33\d+ bytes are more than the 32768 that files keep/,
    );
    await client.writeAsync({ ...request, sample: "x".repeat(32_000) });
    assert.equal(writer.commands.length, 1);
  });
});

Deno.test("images_per_file is handed on; files of images that are there, or too many, are refused", async () => {
  await withApi(async ({ base, client, root, writer }) => {
    const request = { n_images: 20_001, output_file: `${root}/a.h5` };
    const { status, answer } = await post(
      `${base}/writer/write_async`,
      JSON.stringify({ ...request, images_per_file: 2 }),
    );
    assert.equal(status, 400);
    assert.match(String(answer["message"]), /images_per_file: 10001 files.*ask for 3 images per/);
    Deno.writeTextFileSync(`${root}/a3.h5`, "");
    await assert.rejects(
      client.writeAsync({ ...request, n_images: 20, images_per_file: 5 }),
      /a3\.h5 exists already/,
    );
    Deno.removeSync(`${root}/a3.h5`);
    for (const there of ["a4711.h5", "a9999.h5"]) {
      Deno.writeTextFileSync(`${root}/${there}`, "");
      await assert.rejects(
        client.writeAsync({ ...request, n_images: 10_000, images_per_file: 1 }),
        new RegExp(`${there} exists already`),
      );
      Deno.removeSync(`${root}/${there}`);
    }
    await client.writeAsync({ ...request, n_images: 0, images_per_file: 5 });
    const [create] = writer.commands;
    assert.ok(create?.action === "create_file");
    assert.deepEqual([create.request.imagesPerFile, create.request.nImages], [5, 0]);
  });
});

Deno.test("a range of ids and the time without images are handed on, the latter by default, too", async () => {
  await withApi(async ({ client, root, writer, images }) => {
    const range = { start_image_id: 2n ** 60n, stop_image_id: 2n ** 60n + 1n };
    await client.writeAsync({ ...range, output_file: `${root}/a.h5` });
    await client.stop();
    await client.writeAsync({ n_images: 0, output_file: `${root}/b.h5` });
    await client.stop();
    const run = await client.writeAsync({
      n_images: 9,
      output_file: `${root}/c.h5`,
      no_images_timeout: 0.05,
      fsync: "at_end",
    });
    images.publish();
    const { acquisition } = await client.waitForEnd(run, { intervalMs: 5 });
    assert.equal(acquisition.state, "FAILED");
    assert.match(acquisition.message, /no image came for 0\.05 s: 1 of 9 images .* 8 never came/);
    assert.equal(acquisition.stats.n_missing, 8);
    const requests = writer.commands.flatMap((command) =>
      command.action === "create_file" ? [command.request] : []
    );
    assert.deepEqual(
      requests.map(({ fsync }) => fsync),
      [undefined, undefined, "at_end"],
    );
    assert.deepEqual(
      requests.map(({ nImages, startImageId, stopImageId, noImagesTimeoutMs }) => [
        ...[nImages, startImageId, stopImageId, noImagesTimeoutMs],
      ]),
      [
        [0, range.start_image_id, range.stop_image_id, 30_000],
        [0, undefined, undefined, undefined],
        [9, undefined, undefined, 50],
      ],
    );
  }, { noImagesTimeoutS: 30 });
});

Deno.test("overwriting and making folders are handed on; without being asked for both are refused", async () => {
  await withApi(async ({ client, root, writer }) => {
    Deno.writeTextFileSync(`${root}/a.h5`, "");
    const there = { n_images: 1, output_file: `${root}/a.h5` };
    const deep = { n_images: 1, output_file: `${root}/b/c.h5` };
    await assert.rejects(client.writeAsync(there), refusal(409, /ask to overwrite it/));
    await assert.rejects(client.writeAsync(deep), refusal(400, /create_directories/));
    await client.writeAsync({ ...there, overwrite: true });
    await client.stop();
    await client.writeAsync({ ...deep, create_directories: true });
    await client.stop();
    const requests = writer.commands.flatMap((command) =>
      command.action === "create_file" ? [command.request] : []
    );
    assert.deepEqual(
      requests.map(({ overwrite, createFolders }) => [overwrite, createFolders]),
      [[true, undefined], [undefined, true]],
    );
  });
});

Deno.test("with several writers, a file of one of them that is there is refused", async () => {
  await withApi(async ({ client, root }) => {
    Deno.writeTextFileSync(`${root}/a2.h5`, "");
    const request = { n_images: 1, output_file: `${root}/a.h5` };
    await assert.rejects(client.writeAsync(request), /a2\.h5 exists already/);
  }, { writers: 3 });
});

Deno.test("write_async answers when images are taken; status and stop follow the run", async () => {
  await withApi(async ({ client, root, images }) => {
    const idle = await client.status();
    assert.equal(idle.state, "READY");
    assert.equal(idle.acquisition.message, "No acquisition yet.");
    const started = await client.writeAsync({ n_images: 9, output_file: `${root}/a.h5` });
    assert.equal(started.state, "WRITING");
    assert.equal(started.acquisition.state, "WAITING_IMAGES");
    assert.equal(started.acquisition.info.run_id % 1000n, 0n);
    images.publish();
    await until(
      "written",
      async () => (await client.status()).acquisition.stats.n_write_completed === 1,
    );
    const stopped = await client.stop();
    assert.equal(stopped.state, "READY");
    assert.equal(stopped.acquisition.message, "Interrupted.");
  });
});

Deno.test("the answers have the members of the reference's envelope", async () => {
  await withApi(async ({ base }) => {
    const response = await fetch(`${base}/writer/status`);
    assert.deepEqual(await response.json(), {
      status: "ok",
      message: "No acquisition yet.",
      writer: {
        state: "READY",
        acquisition: {
          state: "FINISHED",
          message: "No acquisition yet.",
          info: { n_images: 0, output_file: "", run_id: 0 },
          stats: {
            n_write_requested: 0,
            n_write_completed: 0,
            n_lost: 0,
            n_missing: 0,
            n_failed: 0,
            n_not_taken: 0,
            start_time: null,
            stop_time: null,
          },
          image_ids: { lost: "", missing: "", failed: "" },
          reports: [],
        },
      },
    });
  });
});

Deno.test("status has the reports on the run that it is asked for", async () => {
  await withApi(async ({ base, client, root, images }) => {
    const run = await client.writeAsync({ n_images: 1, output_file: `${root}/a.h5`, run_id: 5 });
    images.publish();
    const ended = await client.waitForEnd(run, { intervalMs: 2 });
    assert.deepEqual(ended.acquisition.reports, [{ report_type: "file_validator", of: 5 }]);
    const next = await client.writeAsync({ n_images: 1, output_file: `${root}/b.h5`, run_id: 6 });
    assert.deepEqual(next.acquisition.reports, [], "its own are not there yet");
    const { writer } = await (await fetch(`${base}/writer/status?run_id=5`)).json();
    assert.equal(writer.acquisition.reports[0].of, 5);
  }, {
    readReports: ({ info }) =>
      Promise.resolve([{ report_type: "file_validator", of: Number(info.runId) }]),
  });
});

Deno.test("a wrong request is answered with 400 and every wrong member", async () => {
  await withApi(async ({ base, root, writer }) => {
    const body = JSON.stringify({ n_images: -1, output_file: "x/../y.h5", run_id: -1 });
    const { status, answer } = await post(`${base}/writer/write_async`, body);
    assert.equal(status, 400);
    assert.equal(answer["status"], "error");
    const issues = answer["issues"];
    assert.ok(Array.isArray(issues));
    assert.deepEqual(issues.map(({ path }) => path).sort(), ["n_images", "output_file", "run_id"]);

    const wrong: [string, RegExp][] = [
      ["", /not JSON/],
      ["{", /not JSON/],
      ["[]", /the request: expected an object, but it is \[\]/],
      ["{}", /output_file.*n_images/],
      [`{"output_file":"${root}/a.h5","n_images":5.5}`, /n_images: expected a whole number/],
      [`{"output_file":"${root}/a.h5","n_images":9007199254740993}`, /n_images: expected a whole/],
      [`{"output_file":"${root}/a.h5"}`, /n_images: expected.*0 writes until stopped/],
      [
        `{"start_image_id":9,"stop_image_id":8,"output_file":"${root}/a.h5"}`,
        /stop_image_id: 8 comes before start_image_id 9/,
      ],
      [`{"n_images":1,"no_images_timeout":-1,"output_file":"${root}/a.h5"}`, /no_images_timeout/],
      [`{"n_images":1.5,"output_file":"${root}/a.h5"}`, /n_images/],
      [`{"n_images":"5","output_file":"${root}/a.h5"}`, /n_images/],
      [`{"n_images":1e20,"output_file":"${root}/a.h5"}`, /n_images/],
      [`{"n_images":99999999999999999999,"output_file":"${root}/a.h5"}`, /n_images/],
      [`{"n_images":1,"output_file":"${root}/a.h5","run_id":18446744073709551616}`, /run_id/],
      [`{"n_images":1,"output_file":"${root}/no/a.h5"}`, /does not exist/],
    ];
    for (const [text, says] of wrong) {
      const { status, answer } = await post(`${base}/writer/write_sync`, text);
      assert.equal(status, 400, text);
      assert.match(String(answer["message"]), says);
    }
    assert.equal(writer.commands.length, 0);
  });
});

Deno.test("an output file outside the roots, behind a link or there already is refused", async () => {
  await withApi(async ({ client, root, writer }) => {
    await Deno.writeTextFile(`${root}/there.h5`, "");
    await Deno.symlink("/tmp", `${root}/link`);
    const write = (output_file: string): Promise<unknown> =>
      client.writeAsync({ n_images: 1, output_file });
    await assert.rejects(
      write("/etc/x.h5"),
      refusal(403, /outside the allowed folders.*--data-root/),
    );
    await assert.rejects(write(`${root}/link/x.h5`), refusal(403, /symbolic link/));
    await assert.rejects(write(`${root}/there.h5`), refusal(409, /ask to overwrite it/));
    await assert.rejects(write(`${root}/../x.h5`), refusal(400, /contains \.\./));
    assert.equal(writer.commands.length, 0);
  });
});

Deno.test("a second request is answered with 409 while one runs", async () => {
  await withApi(async ({ client, root }) => {
    await client.writeAsync({ n_images: 1, output_file: `${root}/a.h5` });
    await assert.rejects(
      client.writeSync({ n_images: 1, output_file: `${root}/b.h5` }),
      refusal(409, /Cannot start new acquisition while previous one is running: .*a\.h5/),
    );
  });
});

Deno.test("a writer that cannot create or write the file is answered with 500", async () => {
  await withApi(async ({ client, root, writer, images }) => {
    writer.react = ({ action }) => ({ ok: false, reason: "open: EACCES", action });
    const request = { n_images: 1, output_file: `${root}/a.h5` };
    await assert.rejects(client.writeAsync(request), refusal(500, /could not create.*EACCES/));
    writer.react = (command, n) =>
      command.action === "record_image"
        ? { ok: false, reason: "pwrite: ENOSPC", action: "record_image" }
        : WELL(command, n);
    const writing = client.writeSync(request);
    await until("started", async () => (await client.status()).state === "WRITING");
    images.publish();
    await assert.rejects(writing, refusal(500, /ERROR: .*ENOSPC/));
    assert.equal((await client.status()).state, "READY");
  });
});

Deno.test("a silent writer is answered with 503, by health and stop too", async () => {
  await withApi(async ({ client, root, writer, controller }) => {
    writer.react = () => undefined;
    await assert.rejects(
      client.writeSync({ n_images: 1, output_file: `${root}/a.h5` }),
      refusal(503, /No answer from the file writer/),
    );
    assert.equal(controller.status.state, "UNKNOWN");
    await assert.rejects(client.health(), refusal(503, /does not answer/));
    await assert.rejects(client.stop(), refusal(503, /does not answer/));
    writer.react = WELL;
    await until("back", () => controller.status.state === "READY");
    assert.equal((await client.health()).writer_state, "READY");
  }, { writerTimeoutMs: 30 });
});

Deno.test("write_sync is answered with 504 after its limit, and the run goes on", async () => {
  await withApi(async ({ client, root, images }) => {
    await assert.rejects(
      client.writeSync({ n_images: 1, output_file: `${root}/a.h5` }),
      refusal(504, /goes on.*\/writer\/status/),
    );
    const run = await client.status();
    images.publish();
    assert.equal(
      (await client.waitForEnd(run, { intervalMs: 2 })).acquisition.message,
      "Completed.",
    );
  }, { syncTimeoutMs: 30 });
});

Deno.test("a client of write_sync that goes away does not stop the run", async () => {
  await withApi(async ({ client, root, images }) => {
    const caller = new AbortController();
    const writing = client.writeSync(
      { n_images: 1, output_file: `${root}/a.h5` },
      caller.signal,
    );
    await until("started", async () => (await client.status()).state === "WRITING");
    caller.abort(new Error("bye"));
    await assert.rejects(writing, /bye/);
    const run = await client.status();
    assert.equal(run.state, "WRITING");
    images.publish();
    assert.equal(
      (await client.waitForEnd(run, { intervalMs: 2 })).acquisition.message,
      "Completed.",
    );
  });
});

Deno.test("who waits for a run hears of that one, although another has begun in its wake", async () => {
  await withApi(async ({ base, client, root, images }) => {
    const mine = await client.writeAsync({ n_images: 1, output_file: `${root}/a.h5` });
    images.publish();
    await until("the end", async () => (await client.status()).state === "READY");
    const theirs = await client.writeAsync({ n_images: 9, output_file: `${root}/b.h5`, run_id: 7 });
    const { state, acquisition } = await client.waitForEnd(mine, { intervalMs: 2 });
    assert.equal(state, "WRITING");
    assert.equal(acquisition.message, "Completed.");
    assert.deepEqual(acquisition.info, mine.acquisition.info);
    const waiting = client.waitForEnd(theirs, { intervalMs: 2 });
    await client.stop();
    assert.equal((await waiting).acquisition.message, "Interrupted.");
    for (const [query, status, message] of [["8", 404, "Run 8 is neither"], ["-1", 400, "-1"]]) {
      const answer = await fetch(`${base}/writer/status?run_id=${query}`);
      assert.equal(answer.status, status);
      assert.ok((await answer.text()).includes(String(message)));
    }
  });
});

Deno.test("/daq/stats gives rates and exact counters", async () => {
  await withApi(async ({ client }) => {
    const { stats, accounting } = await client.stats();
    assert.deepEqual(stats.writer, { images_per_second: 2, bytes_per_second: 24 });
    assert.equal(accounting["packets_received"], 2n ** 60n);
  });
});

Deno.test("hosts and pages of elsewhere are refused, allowed ones served", async () => {
  await withApi(async ({ base, controller, client, root }) => {
    const ask = (headers: Record<string, string>): Promise<number> =>
      getWith(base, "/writer/status", headers);
    for (
      const host of ["localhost", "127.0.0.1:5000", "[::1]:5000", "LocalHost:1", "daq.lab:5000"]
    ) {
      assert.equal(await ask({ host }), 200, host);
    }
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80"]) {
      assert.equal(await ask({ host }), 403, host);
    }
    assert.equal(await ask({ host: "localhost", origin: "http://localhost:5173" }), 200);
    assert.equal(await ask({ host: "localhost", origin: "https://evil.example" }), 403);
    assert.equal(await ask({ host: "localhost", origin: "null" }), 403);
    await client.writeAsync({ n_images: 1, output_file: `${root}/a.h5` });
    const { status } = await post(`${base}/writer/stop`, "", { origin: "https://evil.example" });
    assert.equal(status, 403);
    assert.equal(controller.status.state, "WRITING");
  }, { allowedHosts: ["daq.lab"] });
});

Deno.test("other types, sizes, methods and paths are refused by name", async () => {
  await withApi(async ({ base, root }) => {
    const url = `${base}/writer/write_async`;
    const body = JSON.stringify({ n_images: 1, output_file: `${root}/a.h5` });
    assert.equal((await post(url, body, { "content-type": "text/plain" })).status, 415);
    const large = JSON.stringify({
      n_images: 1,
      output_file: `${root}/a.h5`,
      x: "x".repeat(70_000),
    });
    assert.equal((await post(url, large)).status, 413);
    const wrongMethod = await fetch(url);
    assert.equal(wrongMethod.status, 405);
    assert.equal(wrongMethod.headers.get("allow"), "POST");
    await wrongMethod.body?.cancel();
    const { status, answer } = await post(`${base}/writer/start`, body);
    assert.equal(status, 404);
    assert.match(String(answer["message"]), /openapi\.json/);
    const preflight = await fetch(url, {
      method: "OPTIONS",
      headers: { origin: "http://localhost", "access-control-request-method": "POST" },
    });
    await preflight.body?.cancel();
    assert.equal(preflight.headers.get("access-control-allow-origin"), null);
  });
});

Deno.test("errors come with HTTP 200 when that is asked for", async () => {
  await withApi(async ({ base, client }) => {
    const { status, answer } = await post(`${base}/writer/write_sync`, "{}");
    assert.equal(status, 200);
    assert.equal(answer["status"], "error");
    await assert.rejects(
      client.writeAsync({ n_images: 1, output_file: "/etc/x.h5" }),
      refusal(200, /outside/),
    );
  }, { errorsAs200: true });
});

Deno.test("an unexpected failure is answered without its details and reported to the log", async () => {
  const errors: unknown[] = [];
  const failure = new Error("secret");
  await withApi(async ({ base }) => {
    const response = await fetch(`${base}/daq/stats`);
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /secret/);
    assert.deepEqual(errors, [failure]);
  }, {
    onError: (error) => errors.push(error),
    readAccounting: () => {
      throw failure;
    },
  });
});

Deno.test("/openapi.json describes every route with its schemas", async () => {
  await withApi(async ({ base }) => {
    const document = await (await fetch(`${base}/openapi.json`)).json();
    assert.equal(document.openapi, "3.1.0");
    assert.deepEqual(Object.keys(document.paths).sort(), [
      "/daq/stats",
      "/health",
      "/writer/status",
      "/writer/stop",
      "/writer/write_async",
      "/writer/write_sync",
    ]);
    const { WriteRequest } = document.components.schemas;
    assert.deepEqual(WriteRequest.required, ["output_file"]);
    assert.equal(WriteRequest.properties.run_id.type, "integer");
    assert.equal(WriteRequest.properties.n_images.minimum, 0);
    assert.deepEqual(
      Object.keys(document.paths["/writer/write_sync"].post.responses),
      ["200", "400", "403", "409", "413", "415", "500", "503", "504"],
    );
  });
});
