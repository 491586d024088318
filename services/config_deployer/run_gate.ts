/**
 * Keeps runs out while services start again.
 *
 * @module
 */
import { isRunUnderWay, tryCloseGate } from "../../lib/acquisition/run_locks.ts";
import { pause } from "../../lib/os/pause.ts";

/** Lets no run begin. */
export interface Gate {
  /**
   * Lets no run of a detector begin from now on, and waits for the end of the one that is under way.
   *
   * @returns What lets runs begin again.
   * @throws {OsError} If that cannot be kept from them.
   */
  close(detector: string, signal: AbortSignal): Promise<Disposable>;
}

const POLL_MS = 200;

/**
 * The gate that the writer agents of this machine look at.
 *
 * @param ipcFolder Folder of the ipc sockets.
 * @param onNote Told what is waited for.
 */
export function lockedGate(ipcFolder: string, onNote: (message: string) => void): Gate {
  return {
    async close(detector, signal): Promise<Disposable> {
      using closing = new DisposableStack();
      const isClosed = (): boolean => {
        const gate = tryCloseGate(detector, ipcFolder);
        if (gate !== undefined) closing.use(gate);
        return gate !== undefined;
      };
      await until(isClosed, signal, () => onNote(`waiting for another deployment of ${detector}`));
      const isIdle = (): boolean => !isRunUnderWay(detector, ipcFolder);
      await until(
        isIdle,
        signal,
        () => onNote("waiting for the end of the acquisition; daq stop ends it"),
      );
      return closing.move();
    },
  };
}

/**
 * Looks again and again; says once that it has to wait.
 *
 * @throws The signal's reason when that comes first.
 */
async function until(
  holds: () => boolean,
  signal: AbortSignal,
  onWait: () => void,
): Promise<void> {
  for (let told = false; !holds(); told = true) {
    if (!told) onWait();
    await pause(POLL_MS, signal);
    signal.throwIfAborted();
  }
}
