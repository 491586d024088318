const ELLIPSIS = "…";
const encoder = new TextEncoder();

/**
 * Files keep little room for their last attributes: the text, its end left out if it is longer than so many bytes
 * of UTF-8.
 */
export function shortened(text: string, most: number): string {
  const room = new Uint8Array(most);
  if (encoder.encodeInto(text, room).read === text.length) return text;
  const { read } = encoder.encodeInto(text, room.subarray(encoder.encode(ELLIPSIS).length));
  return text.slice(0, read) + ELLIPSIS;
}
