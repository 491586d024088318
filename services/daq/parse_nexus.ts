import { InvalidArgumentError } from "@commander-js/extra-typings";
import { z } from "zod";
import { type NexusRequest, nexusRequestSchema } from "../../lib/config/mod.ts";

/**
 * A commander parser for what a NeXus file tells of an experiment.
 *
 * @throws {InvalidArgumentError} If it is not JSON, or has wrong members; it names them.
 */
export function parseNexus(text: string): NexusRequest {
  try {
    return nexusRequestSchema.parse(JSON.parse(text));
  } catch (error) {
    const issues = error instanceof z.ZodError
      ? error.issues.map(({ path, message }) => `${path.join(".") || "it"}: expected ${message}`)
      : [String(error)];
    throw new InvalidArgumentError(
      `expected JSON such as '{"sample": {"name": "lysozyme"}}'; ${issues.join("; ")}.`,
    );
  }
}
