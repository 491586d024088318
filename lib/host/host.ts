/** What a program printed, and whether it did what it should. */
export interface ProgramResult {
  /** Whether its exit status is 0. */
  success: boolean;
  /** Its stdout. */
  out: string;
  /** Its stderr. */
  err: string;
}

/** How the machine is reached; a test gives its own. */
export interface Host {
  /** Text of a file of /proc or /sys; undefined when it is not there or may not be read. */
  read(path: string): string | undefined;
  /**
   * Writes a value into a file of /proc or /sys.
   *
   * @throws {Error} If the kernel refuses it, or this user may not.
   */
  write(path: string, value: string): void;
  /** Runs a program; undefined when it is not installed. */
  run(program: string, args: readonly string[]): Promise<ProgramResult | undefined>;
}
