// deno-lint-ignore-file no-console -- docker shows what a health check prints
/**
 * Whether the service of a container is well: status 0 if `GET /health` says so.
 *
 *   docker_health.ts <port>
 */
const [port] = Deno.args;
const answer = await fetch(`http://127.0.0.1:${port}/health`);
console.log(await answer.text());
if (!answer.ok) Deno.exit(1);
