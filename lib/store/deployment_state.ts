import type { Deployment, Entry } from "./store.ts";

/** How far the deployment of a config is, over all servers; the original's words. */
export type DeploymentStatus = "UNKNOWN" | "RUNNING" | "SUCCESS" | "ERROR";

/** A deployment as a whole, with the members of the original and `details`. */
export interface DeploymentState {
  /** The config; null when there is none. */
  config_id: string | null;
  /** All servers together. */
  status: DeploymentStatus;
  /** The same in a sentence. */
  message: string;
  /** What each server said last: `Deploying`, `Done`, `Error`, or words of its own. */
  servers: Record<string, string>;
  /** What each server said besides, such as every wrong field of the config. */
  details: Record<string, string>;
  /** First and last word, s since 1970; the last one null while it is not over. */
  stats: { start_time: number | null; stop_time: number | null };
}

/**
 * Sums up what servers said about the deployment of a config. A server's last word counts; one error
 * makes an error of the whole, at once.
 *
 * @param configId The config; undefined when the store has none.
 * @param said What was said, the newest first, as the store gives it.
 * @param expected Servers that have to be done besides those that have said something.
 */
export function deploymentState(
  configId: string | undefined,
  said: readonly Entry<Deployment>[],
  expected: readonly string[] = [],
): DeploymentState {
  const servers: Record<string, string> = {};
  const details: Record<string, string> = {};
  for (const { value: { server_name, message, detail } } of said.toReversed()) {
    servers[server_name] = message;
    delete details[server_name];
    if (detail !== undefined) details[server_name] = detail;
  }
  const silent = expected.filter((server) => !(server in servers));
  const { status, message } = configId === undefined
    ? { status: "UNKNOWN" as const, message: "There is no config." }
    : judge(Object.values(servers), silent);
  const over = status === "SUCCESS" || status === "ERROR";
  return {
    config_id: configId ?? null,
    status,
    message,
    servers,
    details,
    stats: { start_time: seconds(said.at(-1)), stop_time: over ? seconds(said[0]) : null },
  };
}

function judge(
  words: readonly string[],
  silent: readonly string[],
): { status: DeploymentStatus; message: string } {
  const failed = words.filter((word) => word === "Error").length;
  if (failed > 0) return { status: "ERROR", message: `Failed on ${failed} of ${words.length}.` };
  if (words.length === 0) return { status: "UNKNOWN", message: "No server has taken it up yet." };
  if (words.every((word) => word === "Done") && silent.length === 0) {
    return { status: "SUCCESS", message: `Deployed on ${words.length}.` };
  }
  if (silent.length > 0) {
    return { status: "RUNNING", message: `Nothing yet from ${silent.join(", ")}.` };
  }
  if (words.some((word) => word === "Deploying")) {
    return { status: "RUNNING", message: "Servers are deploying it." };
  }
  return { status: "UNKNOWN", message: "A server says something unexpected." };
}

function seconds(entry: Entry<unknown> | undefined): number | null {
  return entry === undefined ? null : entry.time / 1000;
}
