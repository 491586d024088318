/** Starts a server that removes two folders when it has gone, the second if we have, says so, and waits to be killed. */
import { GuardedServer } from "../guarded_server.ts";

await using _server = await GuardedServer.start("stubborn", {
  command: ["sh", "-c", "echo ready; sleep 1000 & wait"],
  folder: Deno.args[0]!,
  orphaned: Deno.args[1]!,
  ready: /ready/,
});
await Deno.stdout.write(new TextEncoder().encode("started"));
await new Promise(() => setTimeout(() => {}, 2 ** 31 - 1));
