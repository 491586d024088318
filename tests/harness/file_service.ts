import { architecture, LIBC_PATHS } from "../../lib/os/platform.ts";
import { ROOT } from "./pipeline.ts";
import { TestProcess } from "./process.ts";

/** A primary service at RabbitMQ. */
export interface FollowedPrimary {
  /** Its name. */
  primary: string;
  /** Tag of the requests. */
  tag: string;
  /** RabbitMQ, with user and password. */
  broker: string;
}

/** How to run a service that follows the writer. */
export interface FileServiceOptions {
  /** Its name in statuses. */
  name: string;
  /** Whom it follows through RabbitMQ; left out: nobody, `args` say what it does. */
  follows?: FollowedPrimary;
  /** The store: `redis://…` or `sqlite:/path`. */
  store: string;
  /** Folder whose files it may look at. */
  dataRoot: string;
  /** Further arguments. */
  args?: readonly string[];
}

/** Starts a service that goes on with finished files, with the permissions that it needs and no others. */
export function startFileService(
  service: "file_validator" | "preview",
  { name, follows, store, dataRoot, args = [] }: FileServiceOptions,
): TestProcess {
  const sqlite = store.startsWith("sqlite:") ? store.slice("sqlite:".length) : undefined;
  const hosts = [...(follows ? [follows.broker] : []), ...(sqlite === undefined ? [store] : [])]
    .map((url) => new URL(url).host);
  return new TestProcess(service, Deno.execPath(), [
    ...["run", "--quiet", "--no-prompt"],
    `--allow-read=${[dataRoot, ...(sqlite === undefined ? [] : [sqlite, `${ROOT}/lib/store`])]}`,
    ...(sqlite === undefined ? [] : [`--allow-write=${sqlite}`]),
    ...(hosts.length === 0 ? [] : [`--allow-net=${hosts.join(",")}`]),
    "--allow-env=SERVICE_NAME,BROKER_*,REDIS_*,STD_DAQ_STORE",
    `--allow-ffi=${LIBC_PATHS[architecture()].join(",")}`,
    ...[`${ROOT}/services/${service}/main.ts`, "--service-name", name],
    ...(follows ? ["--primary", follows.primary, "--tag", follows.tag] : []),
    ...["--data-root", dataRoot, ...args],
    // Addresses with passwords are no arguments, which everybody sees.
  ], { env: { STD_DAQ_STORE: store, ...(follows && { BROKER_URL: follows.broker }) } });
}
