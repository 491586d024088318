import { type DeploymentState, deploymentState, type Store } from "../../lib/store/mod.ts";
import type { DaqContext } from "./context.ts";
import { oneLine } from "./format.ts";
import { pause } from "../../lib/os/pause.ts";
import { timeText } from "./store.ts";

const POLL_MS = 100;

/** What is waited for. */
export interface DeploymentWait {
  /** Servers that have to be done besides those that say something. */
  servers: readonly string[];
  /** Longest wait, ms. */
  timeoutMs: number;
}

/** The deployment of a config as it is now. */
export async function readDeployment(
  store: Store,
  configId: string,
  servers: readonly string[] = [],
): Promise<DeploymentState> {
  return deploymentState(configId, await store.deployments(configId), servers);
}

/** Waits until it has succeeded or failed, or time is up; returns how it is then. */
export async function waitForDeployment(
  store: Store,
  configId: string,
  { servers, timeoutMs }: DeploymentWait,
  context: DaqContext,
): Promise<DeploymentState> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const state = await readDeployment(store, configId, servers);
    const over = state.status === "SUCCESS" || state.status === "ERROR";
    if (over || performance.now() > deadline) return state;
    await pause(POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

/** A deployment for people: the whole, then a line for each server, and why where it says so. */
export function deploymentText(
  { config_id, status, message, servers, details, stats }: DeploymentState,
): string {
  const { start_time, stop_time } = stats;
  const took = start_time === null || stop_time === null
    ? ""
    : ` in ${(stop_time - start_time).toFixed(1)} s`;
  const since = start_time === null ? "" : ` (${timeText(start_time * 1000)})`;
  const lines = Object.entries(servers).flatMap(([server, words]) => [
    `  ${oneLine(server)}: ${oneLine(words)}`,
    ...(details[server] ?? "").split("\n").filter((line) => line !== "").map((line) =>
      `    ${oneLine(line)}`
    ),
  ]);
  return [`${config_id ?? "none"} ${status}${took}${since}: ${message}`, ...lines].join("\n") +
    "\n";
}
