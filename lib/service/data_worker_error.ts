/**
 * A data worker that died. `cause` is its error, with name, code and stack of the worker's thread; by it a
 * service decides between exit status 4 (a resource could not be had) and 5.
 */
export class DataWorkerError extends Error {
  /** The class's name. */
  override readonly name = "DataWorkerError";
  /** The worker's name. */
  readonly worker: string;

  /** Names the worker. */
  constructor(worker: string, cause: Error) {
    super(`data worker ${worker} failed: ${cause.message}`, { cause });
    this.worker = worker;
  }
}
