import { Option } from "@commander-js/extra-typings";
import { DaqClient, DEFAULT_API } from "../../lib/http/mod.ts";
import { UsageError } from "../../lib/service/mod.ts";
import type { DaqContext } from "./context.ts";

/** The option that every command of the REST interface has. */
// The typings infer the option's name and value; naming the type would repeat them.
// deno-lint-ignore explicit-function-return-type
export function apiOption() {
  return new Option(
    "--api <url>",
    `address of the writer agent (env: STD_DAQ_API_URL; default: ${DEFAULT_API})`,
  );
}

/**
 * The client for `--api`, STD_DAQ_API_URL or the default, in this order.
 *
 * @throws {UsageError} If the address is no URL.
 */
export function clientFor(api: string | undefined, context: DaqContext): DaqClient {
  const baseUrl = api ?? context.env("STD_DAQ_API_URL") ?? DEFAULT_API;
  try {
    return new DaqClient({ baseUrl });
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}
