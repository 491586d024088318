/** A network that a test can break: connections to its port go on to another one of 127.0.0.1. */
export class TcpProxy implements AsyncDisposable {
  /** Port to connect to. */
  readonly port: number;
  readonly #target: number;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #over: Promise<void>;
  #refusing = false;

  /** A proxy to a port of this machine. */
  constructor(target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#over = this.#accept();
  }

  /** Cuts all connections; new ones are cut at once until `mend`. */
  cut(): void {
    this.#refusing = true;
    for (const connection of this.#open) close(connection);
  }

  /** Lets connections through again. */
  mend(): void {
    this.#refusing = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#over;
  }

  async #accept(): Promise<void> {
    const pairs: Promise<void>[] = [];
    for await (const near of this.#listener) {
      if (this.#refusing) close(near);
      else pairs.push(this.#join(near));
    }
    await Promise.all(pairs);
  }

  async #join(near: Deno.TcpConn): Promise<void> {
    this.#open.add(near);
    const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target }).catch(() => null);
    if (far === null || this.#refusing) return [near, far].forEach((end) => end && close(end));
    this.#open.add(far);
    const ways = [near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)];
    await Promise.allSettled(ways); // one end gone, or cut
    for (const end of [near, far]) {
      this.#open.delete(end);
      close(end);
    }
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // closed already
  }
}
