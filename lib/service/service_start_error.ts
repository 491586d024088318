/** A child service that ended before it was ready, or cannot be restarted. */
export class ServiceStartError extends Error {
  /** The class's name. */
  override readonly name = "ServiceStartError";
  /** The child's name. */
  readonly service: string;
  /** Its exit status, of the table in `README.md` where it got that far; `undefined` if it never ran. */
  readonly exitCode: number | undefined;

  /**
   * Names the service and why.
   *
   * @param reason The last thing it said, or what kept it from starting.
   */
  constructor(service: string, exitCode: number | undefined, reason: string) {
    const status = exitCode === undefined ? "" : ` (exit status ${exitCode})`;
    super(`${service} did not start${status}: ${reason}`);
    this.service = service;
    this.exitCode = exitCode;
  }
}
