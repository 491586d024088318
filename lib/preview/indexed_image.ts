/** An image of a palette's colours. */
export interface IndexedImage {
  /** Columns, px. */
  readonly width: number;
  /** Rows, px. */
  readonly height: number;
  /** Number of each pixel's colour, row by row. */
  readonly pixels: Uint8Array;
}

/** The colour of pixels that have no value. */
export const NO_VALUE = 0;

/** Colours from black over red and yellow to white (three bytes each); number 0, for no value, is blue. */
export const HOT_PALETTE: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 3 * 256 },
  (_, i) => {
    const colour = Math.floor(i / 3), channel = i % 3;
    if (colour === NO_VALUE) return [20, 30, 80][channel]!;
    // A third of the way for each of red, green and blue.
    const share = 3 * (colour - 1) / 254 - channel;
    return Math.round(255 * Math.min(1, Math.max(0, share)));
  },
);
