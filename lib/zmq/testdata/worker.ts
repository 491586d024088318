/** A Worker with sockets of its own, for the tests: its first message says what to do. */
import { Socket } from "../mod.ts";

/** What the Worker is told. */
export interface Task {
  /** `echo`: answer on a REP socket until "stop"; the others: bind a PULL socket and wait. */
  kind: "echo" | "wait" | "wait blocking";
  /** Address to bind. */
  address: string;
}

async function run({ kind, address }: Task): Promise<void> {
  if (kind === "echo") {
    using rep = new Socket("REP", { lingerMs: 1000 }); // the last answer still goes out
    rep.bind(address);
    self.postMessage("ready");
    for (;;) {
      const parts = rep.receiveBlocking(50);
      if (!parts) continue;
      rep.sendBlocking(parts, 1000);
      if (new TextDecoder().decode(parts[0]) === "stop") break;
    }
    rep.close();
    self.postMessage("closed");
    self.close();
    return;
  }
  const pull = new Socket("PULL");
  pull.bind(address);
  self.postMessage("ready");
  if (kind === "wait") pull.receive();
  while (kind === "wait blocking") {
    pull.receiveBlocking(20);
    await new Promise<void>((resolve) => setTimeout(resolve, 0)); // where terminate() takes effect
  }
}

self.addEventListener("message", (event: MessageEvent<Task>) => run(event.data), { once: true });
