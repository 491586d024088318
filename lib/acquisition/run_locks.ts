/**
 * Keeps the runs of a detector and the deployment of its config apart, across processes. Not part of `mod.ts`:
 * it needs libc.
 *
 * There are two locks. Who deploys holds the one from when it waits for the last run until all services are
 * ready again; a run begins only when that one is free, and holds the other until its file is closed. So no
 * run begins in a service that is about to be stopped, and none is cut short. The kernel frees the locks of a
 * process that dies.
 *
 * @module
 */
import { LockFile, OsError } from "../os/mod.ts";
import { acquisitionLockPath, deploymentLockPath } from "../protocol/mod.ts";

/** Leave to begin a run, which ends when it is disposed of; or why there is none. */
export type RunLeave = Disposable | { readonly refused: string };

/** Lets runs begin. */
export interface RunGate {
  /** Asks for leave to begin a run. */
  enter(): RunLeave;
}

/**
 * The gate of a detector.
 *
 * @param detector Its name.
 * @param ipcFolder Folder of the ipc sockets, where the locks are, too.
 */
export function runGate(detector: string, ipcFolder: string): RunGate {
  return {
    enter(): RunLeave {
      try {
        using open = LockFile.tryTake(deploymentLockPath(detector, ipcFolder));
        const leave = open && LockFile.tryTake(acquisitionLockPath(detector, ipcFolder));
        return leave ?? { refused: REFUSED };
      } catch (error) {
        if (!(error instanceof OsError)) throw error;
        return { refused: `Whether a config is being deployed cannot be seen: ${error.message}` };
      }
    },
  };
}

const REFUSED = "A config is being deployed, and the services start again with it: no run begins " +
  "meanwhile. Ask again when it is done, as daq deployment --wait says.";

/**
 * Closes the gate of a detector, unless another deployment has closed it.
 *
 * @returns What opens it again; undefined while it is another's, or a run begins in this very moment.
 * @throws {OsError} If the lock cannot be had at all.
 */
export function tryCloseGate(detector: string, ipcFolder: string): Disposable | undefined {
  return LockFile.tryTake(deploymentLockPath(detector, ipcFolder));
}

/**
 * Whether a run is under way; none begins while its gate is closed.
 *
 * @throws {OsError} If the lock cannot be had at all.
 */
export function isRunUnderWay(detector: string, ipcFolder: string): boolean {
  using free = LockFile.tryTake(acquisitionLockPath(detector, ipcFolder));
  return free === undefined;
}
