/**
 * `daq`: runs std-daq on this machine, and orders files from it. See `README.md`.
 *
 * @module
 */
import { systemContext } from "./context.ts";
import { runDaq } from "./program.ts";

Deno.exit(await runDaq(Deno.args, systemContext()));
