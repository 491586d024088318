/** A process that supervises one service and says its pid, to be killed by a test. */
import { Supervisor } from "../supervisor.ts";

const supervisor = new Supervisor({ backoff: { firstMs: 60_000 } });
const ready = await supervisor.start({
  name: "orphan",
  main: new URL("./service.ts", import.meta.url),
  args: [],
  permissions: [],
});
Deno.stdout.writeSync(new TextEncoder().encode(`${ready.pid}\n`));
await supervisor.failed;
