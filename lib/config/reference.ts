import { z } from "zod";
import { detectorConfigSchema } from "./schema.ts";

/** The marks in `docs/reference/configuration.md` between which the table of fields is generated. */
export const FIELD_TABLE_MARKS = ["<!-- fields:begin -->", "<!-- fields:end -->"] as const;

/**
 * The JSON Schema (draft 2020-12) of a config file, as committed in
 * `docs/reference/detector-config.schema.json`. It holds what the zod schema holds; the geometry is
 * beyond it. Units and origins are in the keywords `x-unit` and `x-origin`.
 *
 * @returns The schema as text, ending with a newline; the same on every call.
 */
export function configJsonSchema(): string {
  return `${JSON.stringify({ title: "std-daq detector config", ...jsonSchema() }, null, 2)}\n`;
}

/**
 * The table of all fields for `docs/reference/configuration.md`, generated from the schema.
 *
 * @returns A Markdown table (field, type, default, unit, meaning, origin), ending with a newline.
 */
export function configFieldTable(): string {
  const { properties = {}, required = [] } = jsonSchema();
  const rows = Object.entries(properties).map(([name, field]) => {
    if (typeof field === "boolean") return [`\`${name}\``, "any", "", "", "", ""];
    const byDefault = required.includes(name)
      ? "mandatory"
      : field.default === undefined
      ? "none"
      : `\`${JSON.stringify(field.default)}\``;
    return [
      `\`${name}\``,
      typeOf(field),
      byDefault,
      text(field["x-unit"]),
      text(field.description),
      text(field["x-origin"]),
    ];
  });
  return table([["Field", "Type", "Default", "Unit", "Meaning", "From"], ...rows]);
}

function jsonSchema(): z.core.JSONSchema.JSONSchema {
  const { "~standard": _, ...schema } = z.toJSONSchema(detectorConfigSchema, { io: "input" });
  return schema;
}

function text(value: unknown): string {
  return typeof value === "string" ? value.replaceAll("|", "\\|") : "";
}

function typeOf(field: z.core.JSONSchema.JSONSchema): string {
  if (field.enum !== undefined) {
    return field.enum.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
  }
  if (field.anyOf !== undefined) {
    return field.anyOf.map((one) => typeof one === "boolean" ? "any" : typeOf(one)).join(" or ");
  }
  if (field.type === "integer") return `integer ${field.minimum} to ${field.maximum}`;
  return field.format ?? [field.type ?? "any"].flat().join(" or ");
}

/** Pads the columns as `deno fmt` does, so that the generated table is stable under it. */
function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |\n`;
  return [head, widths.map((width) => "-".repeat(width)), ...body].map(line).join("");
}
