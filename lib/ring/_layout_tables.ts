/**
 * The tables of `README.md`, from the layouts that the code uses.
 *
 *     deno run --allow-read=lib/ring --allow-write=lib/ring lib/ring/_layout_tables.ts
 *
 * writes them there; a test fails when they are stale. Format the page afterwards (`deno fmt`).
 *
 * @module
 */
import { type FieldRow, TABLES } from "../kernels/mod.ts";

/** The page that holds the tables. */
export const README = new URL("./README.md", import.meta.url);

/** Tables of the page, in its order. */
export const TABLE_NAMES = ["RING_HEADER", "RING_RECORD"] as const;

/**
 * The rows of one table, cells apart: offset, type, field, meaning and unit.
 *
 * @throws {RangeError} If there is no layout of that name.
 */
export function tableRows(name: string): string[][] {
  const table = TABLES.get(name);
  if (table === undefined) throw new RangeError(`No layout ${name}: see lib/kernels/layout.ts`);
  return Object.entries(table.rows).map(([field, [type, , meaning]]) => [
    `${table.offsets[field]}`,
    typeOf(type),
    `\`${field}\``,
    meaning,
  ]);
}

/** The page with its tables replaced by the current ones. */
export function withTables(page: string): string {
  for (const name of TABLE_NAMES) {
    const rows = [
      ["offset", "type", "field", "meaning"],
      ["-:", "-", "-", "-"],
      ...tableRows(name),
    ];
    const table = rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
    const { from, to } = placeOf(page, name);
    page = `${page.slice(0, from)}\n\n${table}\n\n${page.slice(to)}`;
  }
  return page;
}

/**
 * Where a table is in the page: between its marks.
 *
 * @throws {Error} If the page lost a mark.
 */
export function placeOf(page: string, name: string): { from: number; to: number } {
  const begin = `<!-- table ${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf("<!-- end -->", from);
  if (from < 0 || to < 0) {
    throw new Error(`${README.pathname} lost the marks ${begin} … <!-- end -->`);
  }
  return { from: from + begin.length, to };
}

function typeOf(type: FieldRow[0]): string {
  return typeof type === "string" ? type : `${type.bytes} bytes`;
}

if (import.meta.main) {
  Deno.writeTextFileSync(README, withTables(Deno.readTextFileSync(README)));
}
