/**
 * Writes the reference of the detector config from its schema: `docs/reference/detector-config.schema.json`
 * and the table in `docs/reference/configuration.md`. With `--check` it writes nothing and fails if one
 * of them is stale.
 *
 * Usage: deno run --allow-read=docs --allow-write=docs scripts/config_schema.ts [--check]
 *
 * @module
 */
import { configFieldTable, configJsonSchema, FIELD_TABLE_MARKS } from "../lib/config/mod.ts";

const SCHEMA = new URL("../docs/reference/detector-config.schema.json", import.meta.url);
const PAGE = new URL("../docs/reference/configuration.md", import.meta.url);

/**
 * Replaces what is between the marks of a page by the generated table of fields.
 *
 * @param page Text of `configuration.md`.
 * @returns The page with the current table.
 * @throws {Error} If the page has not both marks.
 */
function withFieldTable(page: string): string {
  const [begin, end] = FIELD_TABLE_MARKS;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) {
    throw new Error(`${PAGE.pathname} lost its marks ${begin} and ${end}; put them back`);
  }
  return `${page.slice(0, from)}${begin}\n\n${configFieldTable()}\n${page.slice(to)}`;
}

async function read(file: URL): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function main(check: boolean): Promise<number> {
  const page = await read(PAGE);
  const files: [URL, string, string][] = [
    [SCHEMA, await read(SCHEMA), configJsonSchema()],
    [PAGE, page, withFieldTable(page)],
  ];
  const stale = files.filter(([, found, wanted]) => found !== wanted);
  for (const [file, , wanted] of stale) {
    if (!check) await Deno.writeTextFile(file, wanted);
    // deno-lint-ignore no-console -- a script for people
    else console.error(`${file.pathname} is stale: run scripts/config_schema.ts`);
  }
  return check && stale.length > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args.includes("--check")));
