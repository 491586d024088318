// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * Tries what a service must not do, and prints what came of it as one line of JSON: "refused" when
 * Deno did not allow it, anything else when the permissions would have.
 */
const [library = ""] = Deno.args;

const ATTEMPTS: Record<string, () => unknown> = {
  "read a system file": () => Deno.readTextFileSync("/etc/passwd"),
  "list a home folder": () => [...Deno.readDirSync("/root/.ssh")],
  "write to /tmp": () => writeAndRemove(`/tmp/e2e_probe_${Deno.pid}`),
  "write beside the code": () => writeAndRemove(`${import.meta.dirname}/written_${Deno.pid}`),
  "remove a file": () => Deno.removeSync("/tmp/e2e_probe_that_is_not_there"),
  "run a process": () => new Deno.Command("/bin/true").outputSync(),
  "connect to another host": () => Deno.connect({ hostname: "192.0.2.1", port: 80 }),
  "listen to the world": () => Deno.listen({ hostname: "0.0.0.0", port: 0 }).close(),
  "listen on another port": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  "open another library": () => Deno.dlopen(library, {}).close(),
  "use any address": () => Deno.UnsafePointer.create(8n),
  "read the environment": () => Deno.env.toObject(),
  "ask for the host name": () => Deno.hostname(),
};

const outcome: Record<string, string> = {};
for (const [what, attempt] of Object.entries(ATTEMPTS)) {
  try {
    await attempt();
    outcome[what] = "done";
  } catch (error) {
    outcome[what] = error instanceof Deno.errors.NotCapable ? "refused" : `failed: ${error}`;
  }
}
console.log(JSON.stringify(outcome));

function writeAndRemove(path: string): void {
  Deno.writeTextFileSync(path, "");
  Deno.removeSync(path);
}
