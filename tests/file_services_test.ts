/** file_validator and preview, behind a real RabbitMQ: what they say of a run's file, and what they keep. */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import {
  BrokerClient,
  PrimaryService,
  type RequestOutcome,
  resolveBroker,
} from "../lib/broker/mod.ts";
import { smallConfig, writeNexusFile } from "../lib/nexus/_testing.ts";
import { openStore, type Store } from "../lib/store/mod.ts";
import { RabbitMq, startFileService, type TestProcess, until } from "./harness/mod.ts";

const END = { timeoutMs: 60_000 };
const TAG = "test.files";
const WRITER = `${TAG}.writer`;
const NAMES = { file_validator: `${TAG}.validator`, preview: `${TAG}.preview` };

/** What a service said last of a request. */
function last({ services }: RequestOutcome, name: string): { action: string; message: unknown } {
  return services[name]?.at(-1) ?? { action: "none", message: null };
}

const NOBODY = 65_534;

const reportSchema = z.looseObject({
  valid: z.boolean(),
  images: z.number(),
  problems: z.array(z.object({ level: z.string(), message: z.string() })),
  log_id: z.string().nullable(),
});

/** What file_validator has stored of an acquisition. */
async function validated(store: Store, logId: string): Promise<unknown> {
  const reports = (await store.reports(logId)).map(({ value }) => Object(value));
  return reports.find(({ report_type }) => report_type === "file_validator")?.report;
}

Deno.test("file_validator and preview go on with the file that a writer has finished", async (t) => {
  const folder = Deno.makeTempDirSync({ prefix: `std_daq_services_${Deno.pid}_` });
  const address = `sqlite:${folder}/store`;
  const data = `${folder}/data`; // as sites have it: a link to the disk
  Deno.mkdirSync(`${folder}/disk/runs`, { recursive: true });
  Deno.symlinkSync(`${folder}/disk`, data);
  Deno.symlinkSync("runs", `${data}/today`);
  const isRoot = Deno.uid() === 0;
  if (isRoot) { // files there are another user's
    Deno.chmodSync(folder, 0o711);
    Deno.chownSync(`${folder}/disk/runs`, NOBODY, NOBODY);
  }
  await using rabbit = await RabbitMq.start();
  await using store = await openStore(address);
  const start = (service: keyof typeof NAMES, ...args: string[]): TestProcess =>
    startFileService(service, {
      ...{ name: NAMES[service], dataRoot: data, args, store: address },
      follows: { primary: WRITER, tag: TAG, broker: rabbit.url },
    });
  try {
    await using validator = start("file_validator");
    await using preview = start("preview", "--beside", "--format", "png");
    await Promise.all([validator.ready(), preview.ready()]);
    const config = smallConfig();
    await using _writer = await PrimaryService.start({
      broker: resolveBroker({ url: rabbit.url }),
      serviceName: WRITER,
      tag: TAG,
      schema: z.looseObject({ output_file: z.string(), images: z.number(), end_time: z.number() }),
      handler: {
        async onRequest(_, { output_file: path, images, end_time }): Promise<null> {
          if (images < 0) throw new Error("the disk is full");
          const isThere = await Deno.stat(path).then(() => true, () => false);
          if (isThere) return null; // asked for once more
          if (path.startsWith(data) && !path.endsWith("text.h5")) {
            const attributes = { ...(end_time > 0 && { end_time }), images_requested: 3n };
            writeNexusFile(path, config, { images, options: { attributes } });
            if (isRoot && path.includes("/today/")) await Deno.chown(path, NOBODY, NOBODY);
            await store.addLog({ state: "FINISHED", info: { output_file: path } });
          } else if (path.startsWith(data)) Deno.writeTextFileSync(path, "no HDF5");
          return null;
        },
      },
    });
    await using client = await BrokerClient.connect({ broker: resolveBroker({ url: rabbit.url }) });
    const request = async (name: string, images: number, end_time = 1): Promise<RequestOutcome> => {
      const path = name.startsWith("/") ? name : `${data}/${name}`;
      const id = await client.send(TAG, { output_file: path, images, end_time });
      return await client.wait(id, { services: Object.values(NAMES), ...END });
    };
    await t.step("a good file: a report and a picture, in status, store and folder", async () => {
      const outcome = await request("good.h5", 3);
      strictEqual(outcome.status, "request_success");
      const report = reportSchema.parse(last(outcome, NAMES.file_validator).message);
      deepStrictEqual([report.valid, report.images, report.problems], [true, 3, []]);
      const id = report.log_id ?? "";
      strictEqual(reportSchema.omit({ log_id: true }).parse(await validated(store, id)).images, 3);
      const gif = await store.preview(id) ?? new Uint8Array();
      strictEqual(new TextDecoder().decode(gif.subarray(0, 6)), "GIF89a");
      const png = await Deno.readFile(`${data}/good.png`);
      strictEqual(new TextDecoder().decode(png.subarray(1, 4)), "PNG");
      const drawn = z.looseObject({ picture: z.string(), rows: z.array(z.number()) })
        .parse(last(outcome, NAMES.preview).message);
      deepStrictEqual([drawn.picture, drawn.rows], [`${data}/good.png`, [0, 1, 2]]);
    });
    await t.step(
      "a file through links within the data root: the picture is beside it, of the same user",
      async () => {
        const outcome = await request("today/linked.h5", 3);
        strictEqual(outcome.status, "request_success", JSON.stringify(outcome.services));
        const { valid } = reportSchema.parse(last(outcome, NAMES.file_validator).message);
        strictEqual(valid, true);
        const [picture, file] = ["png", "h5"]
          .map((suffix) => Deno.lstatSync(`${folder}/disk/runs/linked.${suffix}`));
        ok(picture?.isFile);
        deepStrictEqual([picture.uid, picture.gid, picture.mode], [
          file?.uid,
          file?.gid,
          file?.mode,
        ]);
      },
    );
    await t.step("a preview that the store refused can be asked for again", async () => {
      using database = new DatabaseSync(`${folder}/store`);
      database.exec(
        "CREATE TRIGGER refuse BEFORE INSERT ON entries WHEN NEW.key LIKE '%gif:%' " +
          "BEGIN SELECT RAISE(ABORT, 'the store is full'); END",
      );
      const refused = last(await request("again.h5", 3), NAMES.preview);
      match(String(refused.message), /the store is full/);
      database.exec("DROP TRIGGER refuse");
      const drawn = last(await request("again.h5", 3), NAMES.preview);
      strictEqual(drawn.action, "request_success", JSON.stringify(drawn));
      ok(Deno.statSync(`${data}/again.png`).isFile);
    });
    await t.step("a file that lacks images and was not closed is not valid", async () => {
      const outcome = await request("short.h5", 2, 0);
      const { valid, problems } = reportSchema.parse(last(outcome, NAMES.file_validator).message);
      strictEqual(valid, false);
      const errors = problems.filter(({ level }) => level === "error").map(({ message }) =>
        message
      );
      ok(errors.includes("2 images of 3 that were asked for."), errors.join());
      ok(errors.some((message) => message.startsWith("The file was not closed")));
    });
    await t.step(
      "what is no image file, or outside the data roots, fails with the reason",
      async () => {
        const text = await request("text.h5", 1);
        for (const name of Object.values(NAMES)) {
          strictEqual(last(text, name).action, "request_fail");
          match(String(last(text, name).message), /is not a readable HDF5 file/);
        }
        const outside = await request("/etc/hostname", 1);
        match(
          String(last(outside, NAMES.file_validator).message),
          /outside the folders that may be/,
        );
        await Deno.symlink("/etc/hostname", `${data}/link.h5`);
        const { services } = await request(`${data}/../data/link.h5`, 1);
        match(JSON.stringify(services[NAMES.preview]), /outside the folders|EEXIST|File exists/);
      },
    );
    await t.step("a writer that failed is passed on", async () => {
      const outcome = await request("never.h5", -1);
      const failure = `Primary service ${WRITER} failure. the disk is full`;
      strictEqual(last(outcome, NAMES.file_validator).message, failure);
    });
    for (const service of [validator, preview]) strictEqual((await service.stop()).code, 0);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("file_validator and preview follow the store's log, without a broker", async () => {
  const folder = Deno.makeTempDirSync({ prefix: `std_daq_services_${Deno.pid}_` });
  const address = `sqlite:${folder}/store`;
  const data = `${folder}/data`;
  Deno.mkdirSync(data);
  try {
    await using store = await openStore(address);
    const before = await store.addLog({ info: { output_file: `${data}/before.h5` } });
    const start = (service: keyof typeof NAMES): TestProcess =>
      startFileService(service, {
        ...{ name: service, dataRoot: data, args: ["--follow-log"], store: address },
      });
    await using validator = start("file_validator");
    await using preview = start("preview");
    await Promise.all([validator.ready(), preview.ready()]);
    const options = { attributes: { end_time: 1, images_requested: 3n } };
    const ids: string[] = [];
    for (const [name, images] of [["none.h5", 0], ["good.h5", 3], ["short.h5", 2]] as const) {
      const path = `${data}/${name}`;
      if (images > 0) writeNexusFile(path, smallConfig(), { images, options });
      ids.push(await store.addLog({ state: "FINISHED", info: { output_file: path } }));
    }
    const [none = "", good = "", short = ""] = ids;
    const valid = async (id: string): Promise<boolean | undefined> => {
      const report = await validated(store, id);
      return report === undefined
        ? undefined
        : reportSchema.omit({ log_id: true }).parse(report).valid;
    };
    await until("reports", async () => await valid(short) !== undefined);
    deepStrictEqual([await valid(good), await valid(short)], [true, false]);
    await until("a picture", async () => await store.preview(short) !== undefined);
    ok(await store.preview(good) !== undefined);
    for (const id of [none, before]) {
      deepStrictEqual([await valid(id), await store.preview(id)], [undefined, undefined]);
    }
    ok(validator.log.some(({ message }) => message.includes("none.h5")));
    for (const service of [validator, preview]) strictEqual((await service.stop()).code, 0);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
