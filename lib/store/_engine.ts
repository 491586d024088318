/**
 * What an engine keeps: streams of entries by key, as Redis has them. The store above knows which.
 *
 * @module
 */

/** Values of one entry, by field. */
export type Fields = Readonly<Record<string, string | Uint8Array>>;

/** An entry as it is kept. */
export interface StoredEntry {
  /** `<ms since 1970>-<number within that ms>`; later entries have larger ones. */
  readonly id: string;
  readonly fields: Fields;
}

/** An entry to keep. */
export interface NewEntry {
  readonly key: string;
  readonly fields: Fields;
  /** The stream's longest length, the new entry included. */
  readonly maxLength: number;
  /** Older entries are removed: their time, ms since 1970; undefined keeps all. */
  readonly notBefore: number | undefined;
  /** The stream itself goes when nothing was added for so long, ms; undefined keeps it. */
  readonly idleMs: number | undefined;
  /** What may be dropped when entries have to wait: small numbers first, undefined never. */
  readonly worth: number | undefined;
}

/** Where streams are kept. */
export interface Engine extends AsyncDisposable {
  /** Adds an entry at the end of a stream; undefined when it had to be dropped. */
  append(entry: NewEntry): Promise<string | undefined>;
  /** Entries of a stream, the newest first. */
  newest(key: string, count: number): Promise<StoredEntry[]>;
  /** One entry. */
  get(key: string, id: string): Promise<StoredEntry | undefined>;
  /** Why it cannot be read or written right now; null when it can, as far as that is known. */
  readonly problem: string | null;
  /** The newest entry, at once, and each newer one when it comes, until the signal aborts. */
  watch(key: string, signal: AbortSignal): AsyncGenerator<StoredEntry, void, void>;
}

/** Time of an entry, ms since 1970. */
export function timeOf(id: string): number {
  return Number(id.split("-")[0]);
}

/** Whether a text is an entry's id. */
export function isId(id: string): boolean {
  return /^\d{1,16}-\d{1,16}$/.test(id);
}

/** Tells what could not be stored when a store is closed: its JSON is nowhere else. */
export function noteLost(
  lost: readonly NewEntry[],
  where: string,
  onNote: (message: string) => void,
): void {
  for (const { key, fields } of lost) {
    if (fields.json !== undefined) onNote(`${where}: not stored in ${key}: ${fields.json}`);
  }
}
