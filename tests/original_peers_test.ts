/**
 * Writer agent and file writer, each with an original on the other side: messages with std-daq's own
 * fields only, made and read here byte by byte.
 */
import assert from "node:assert/strict";
import { driverAddress, imageStreamAddress, writerAddress } from "../lib/protocol/mod.ts";
import { Socket } from "../lib/zmq/mod.ts";
import {
  imageIds,
  jungfrauConfig,
  Pipeline,
  readWithH5py,
  StreamListener,
  TestDetector,
} from "./harness/mod.ts";

const IMAGES = 5;
const WAIT = { timeoutMs: 20_000 };

/** Number of an action in `WriterAction`. */
const ACTION = { create: 1, record: 2, close: 3, confirm: 4 } as const;

Deno.test("the agent drives a file writer that answers as the original does, and not for each image", async () => {
  await using peer = await startPeer("writer_agent");
  const { pipeline, detector, actions, answers } = peer;
  /** The next action: its number, and what it says. */
  const next = async (): Promise<[number, Field[]]> => {
    const [bytes] = await actions.receive(WAIT);
    const [action, ...more] = fields(bytes!);
    assert.equal(more.length, 0);
    return [action!.number, fields(action!.bytes)];
  };
  /** The next one, which has to be this one: what it says. */
  const take = async (number: number): Promise<Field[]> => {
    const [taken, content] = await next();
    assert.equal(taken, number);
    return content;
  };
  const answer = async (code: 1 | 2, reason = ""): Promise<void> => {
    const text = reason === "" ? [] : message(2, new TextEncoder().encode(reason));
    await answers.send(Uint8Array.of(0x08, code, ...text), WAIT);
  };

  const path = pipeline.path("original.h5");
  const refused = pipeline.write("original.h5", IMAGES);
  let [number, create] = await next();
  if (number === ACTION.close) { // what an agent before this one may have left
    await answer(2, "no file");
    [number, create] = await next();
  }
  assert.equal(number, ACTION.create);
  assert.equal(new TextDecoder().decode(create[0]!.bytes), path);
  await Promise.all([
    assert.rejects(refused, /could not create .*original\.h5: no rights/),
    answer(2, "no rights"),
  ]);

  const writing = pipeline.write("original.h5", IMAGES);
  await take(ACTION.create);
  await answer(1);
  await writing;
  detector.send(0, IMAGES - 1);
  const recorded: string[] = [];
  for (let i = 0; i < IMAGES; i++) {
    const [metadata] = await take(ACTION.record);
    assert.equal(metadata?.number, 1);
    recorded.push(metadata.bytes.toHex());
  }
  assert.deepEqual(recorded, await peer.metadata(IMAGES));
  await take(ACTION.confirm);
  await answer(1);
  await take(ACTION.close);
  await answer(1);
  const { acquisition: { stats } } = await pipeline.finished();
  assert.deepEqual([stats.n_write_requested, stats.n_write_completed], [IMAGES, IMAGES]);
});

Deno.test("the file writer writes what an original driver tells it to, and answers what that waits for", async () => {
  await using peer = await startPeer("std_h5_writer");
  const { pipeline, detector, actions, answers } = peer;
  const order = (number: number, content: number[] = []): Promise<void> =>
    actions.send(Uint8Array.from(message(number, content)), WAIT);
  /** Code and reason of the next answer. */
  const answer = async (): Promise<[code: number | undefined, reason: string]> => {
    const [bytes] = await answers.receive(WAIT);
    const known = fields(bytes!).filter(({ number }) => number <= 2);
    const reason = known.find(({ number }) => number === 2)?.bytes;
    return [known.find(({ number }) => number === 1)?.value, new TextDecoder().decode(reason)];
  };
  const create = async (path: string): Promise<ReturnType<typeof answer>> => {
    await order(ACTION.create, message(1, new TextEncoder().encode(path)));
    return await answer();
  };

  const [code, reason] = await create("/etc/run.h5");
  assert.equal(code, 2);
  assert.match(reason, /outside the folders/);

  const path = pipeline.path("driven.h5");
  assert.deepEqual(await create(path), [1, ""]);
  detector.send(0, IMAGES - 1);
  for (const metadata of await peer.metadata(IMAGES)) {
    await order(ACTION.record, message(1, Uint8Array.fromHex(metadata)));
  }
  await order(ACTION.confirm);
  assert.deepEqual(await answer(), [1, ""]);
  await order(ACTION.close);
  assert.deepEqual(await answer(), [1, ""]);
  assert.equal(answers.tryReceive(), undefined, "an answer to an image");
  const file = await readWithH5py(path);
  assert.deepEqual(imageIds(file), [0, 1, 2, 3, 4]);
  assert.deepEqual(file.data.sha256, imageIds(file).map((id) => detector.sha256(id)));
});

/** A pipeline in which one of writer agent and file writer runs; the test is in the other one's place. */
interface Peer extends AsyncDisposable {
  pipeline: Pipeline;
  detector: TestDetector;
  /** What the agent says to the file writer. */
  actions: Socket;
  /** What the file writer says to the agent. */
  answers: Socket;
  /** Messages of the image stream, hex. */
  metadata(count: number): Promise<string[]>;
}

async function startPeer(service: "writer_agent" | "std_h5_writer"): Promise<Peer> {
  await using started = new AsyncDisposableStack();
  const services = ["std_udp_recv", "std_assembler", service] as const;
  const pipeline = started.use(await Pipeline.start(jungfrauConfig(1), { services }));
  const detector = started.use(new TestDetector(pipeline.config));
  const stream = imageStreamAddress(pipeline.name);
  const listener = started.use(await StreamListener.start([stream]));
  const isAgent = service === "writer_agent";
  const actions = started.use(new Socket(isAgent ? "PULL" : "PUSH"));
  const answers = started.use(new Socket(isAgent ? "PUSH" : "PULL"));
  // Whoever speaks binds.
  const [spoken, heard] = isAgent ? [answers, actions] : [actions, answers];
  const [writer, driver] = [writerAddress(pipeline.name, 0), driverAddress(pipeline.name, 0)];
  spoken.bind(isAgent ? writer : driver);
  heard.connect(isAgent ? driver : writer);
  const resources = started.move();
  return {
    ...{ pipeline, detector, actions, answers },
    metadata: (count) => listener.take(stream, count),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** A field of a protobuf message. */
interface Field {
  number: number;
  /** Of a varint. */
  value?: number;
  /** Of a text, message or double; else none. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** The fields of a message. */
function fields(bytes: Uint8Array<ArrayBuffer>): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = bytes[at++] ?? assert.fail("the message ends too early");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (tag % 8 === 0) {
      found.push({ number, value: varint(), bytes: new Uint8Array() });
    } else {
      const isDouble = tag % 8 === 1;
      assert.ok(isDouble || tag % 8 === 2, "only varints, doubles and bytes are in these messages");
      const length = isDouble ? 8 : varint();
      found.push({ number, bytes: bytes.subarray(at, at += length) });
    }
  }
  return found;
}

/** A field that is a text or a message, as it is sent. */
function message(number: number, content: Iterable<number>): number[] {
  const bytes = [...content];
  assert.ok(number < 16);
  const length = bytes.length < 128
    ? [bytes.length]
    : [bytes.length % 128 + 128, Math.floor(bytes.length / 128)];
  return [number * 8 + 2, ...length, ...bytes];
}
