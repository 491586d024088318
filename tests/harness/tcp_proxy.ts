/** How a network may misbehave. */
type Mood = "well" | "cut" | "swallowing";

/** A network that a test can break: connections to its port go on to another one of 127.0.0.1. */
export class TcpProxy implements AsyncDisposable {
  /** Port to connect to. */
  readonly port: number;
  readonly #target: number;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #over: Promise<void>;
  #mood: Mood = "well";
  #delayMs = 0;
  #halving = false;

  /** A proxy to a port of this machine, which listens on an address of it. */
  constructor(target: number, hostname = "127.0.0.1") {
    this.#target = target;
    this.#listener = Deno.listen({ hostname, port: 0 });
    this.port = this.#listener.addr.port;
    this.#over = this.#accept();
  }

  /** Cuts all connections; new ones are cut at once until `mend`. */
  cut(): void {
    this.#mood = "cut";
    this.#closeAll();
  }

  /** Takes everything and passes nothing on, without a word, until `mend`, which cuts what is open. */
  swallow(): void {
    this.#mood = "swallowing";
  }

  /** Lets connections through (again), as they are meant to be. */
  mend(): void {
    // What was swallowed is missing: such a stream is of no use any more.
    if (this.#mood === "swallowing") this.#closeAll();
    this.#mood = "well";
    this.#delayMs = 0;
    this.#halving = false;
  }

  /** Everything takes so much longer, ms. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Of what comes next, whichever way, the first half is passed on; then all connections are cut, once. */
  halve(): void {
    this.#halving = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#over;
  }

  #closeAll(): void {
    for (const connection of this.#open) close(connection);
  }

  async #accept(): Promise<void> {
    const pairs: Promise<void>[] = [];
    for await (const near of this.#listener) {
      if (this.#mood === "cut") close(near);
      else pairs.push(this.#join(near));
    }
    await Promise.all(pairs);
  }

  async #join(near: Deno.TcpConn): Promise<void> {
    this.#open.add(near);
    const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target }).catch(() => null);
    if (far === null || this.#mood === "cut") {
      return [near, far].forEach((end) => end && close(end));
    }
    this.#open.add(far);
    const ways = [
      near.readable.pipeThrough(this.#network()).pipeTo(far.writable),
      far.readable.pipeThrough(this.#network()).pipeTo(near.writable),
    ];
    await Promise.allSettled(ways); // one end gone, or cut
    for (const end of [near, far]) {
      this.#open.delete(end);
      close(end);
    }
  }

  /** What one way of a connection does to the bytes. */
  #network(): TransformStream<Uint8Array, Uint8Array> {
    return new TransformStream({
      transform: async (bytes, way): Promise<void> => {
        if (this.#delayMs > 0) {
          await new Promise((resolve) => setTimeout(resolve, this.#delayMs));
        }
        if (this.#mood === "swallowing") return;
        if (!this.#halving) return way.enqueue(bytes);
        this.#halving = false;
        way.enqueue(bytes.subarray(0, Math.ceil(bytes.length / 2)));
        // In a later turn: the half is to arrive.
        setTimeout(() => this.#closeAll(), 0);
      },
    });
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // closed already
  }
}
