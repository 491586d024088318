import { formatPath } from "./describe_value.ts";

/**
 * Finds the fields that a schema drops unseen: most often a misspelt name.
 *
 * @param schema A schema of zod; of one whose fields cannot be seen, and of any other checker, nothing is told.
 * @param value What is checked with it, as read.
 * @returns One sentence for each unknown field, with the known field that it resembles.
 */
export function unknownFields(schema: unknown, value: unknown): string[] {
  return unknownIn([definitionOf(schema)], value, []);
}

/** What a schema of zod says of itself. */
interface Definition {
  readonly type?: unknown;
  readonly shape?: unknown;
  readonly catchall?: unknown;
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly element?: unknown;
  readonly valueType?: unknown;
  readonly options?: unknown;
}

/** @param schemas Alternatives for the value. */
function unknownIn(
  schemas: readonly Definition[],
  value: unknown,
  path: readonly PropertyKey[],
): string[] {
  const alternatives = schemas.flatMap(unwrapped);
  if (Array.isArray(value)) {
    const elements = alternatives.flatMap(({ type, element }) =>
      type === "array" ? [definitionOf(element)] : []
    );
    return value.flatMap((one, index) => unknownIn(elements, one, [...path, index]));
  }
  if (!isObject(value)) return [];
  const objects = alternatives.filter(({ type }) => type === "object");
  const isOpen = objects.length === 0 || objects.some(({ catchall }) => catchall !== undefined);
  const known = new Map<string, Definition[]>();
  for (const [name, field] of objects.flatMap(({ shape }) => Object.entries(Object(shape)))) {
    known.set(name, [...known.get(name) ?? [], definitionOf(field)]);
  }
  const values = alternatives.flatMap(({ type, valueType }) =>
    type === "record" ? [definitionOf(valueType)] : []
  );
  return Object.entries(value).flatMap(([name, member]) => {
    const place = [...path, name];
    const field = known.get(name);
    if (field !== undefined || isOpen) return unknownIn(field ?? values, member, place);
    const close = closest(name, [...known.keys()]);
    const hint = close === undefined ? "remove it or check its name" : `did you mean ${close}?`;
    return [`unknown field ${formatPath(place)} is ignored; ${hint}`];
  });
}

/** The alternatives in a definition, without what only wraps them. */
function unwrapped(definition: Definition): Definition[] {
  const { type, innerType, options } = definition;
  if (type === "union" && Array.isArray(options)) {
    return options.flatMap((option) => unwrapped(definitionOf(option)));
  }
  const inner = type === "pipe" ? definition.in : innerType;
  return inner === undefined ? [definition] : unwrapped(definitionOf(inner));
}

function definitionOf(schema: unknown): Definition {
  const definition: unknown = isObject(schema) ? Reflect.get(schema, "def") : undefined;
  return isObject(definition) ? definition : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The known name that at most a third of the letters, and at most 3, set apart. */
function closest(name: string, known: readonly string[]): string | undefined {
  const limit = Math.min(3, Math.floor(name.length / 3));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) > limit) continue;
    const distance = editDistance(name.toLowerCase(), candidate);
    if (distance <= limit && distance < (best?.distance ?? Infinity)) {
      best = { candidate, distance };
    }
  }
  return best?.candidate;
}

/** Levenshtein distance: insertions, deletions and replacements that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      current.push(Math.min(
        (previous[column] ?? Infinity) + 1,
        (current[column - 1] ?? Infinity) + 1,
        (previous[column - 1] ?? Infinity) + (a[row - 1] === b[column - 1] ? 0 : 1),
      ));
    }
    previous = current;
  }
  return previous[b.length] ?? Infinity;
}
