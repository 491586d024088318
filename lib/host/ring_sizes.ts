/** Descriptors of a network card's receive rings. */
export interface RingSizes {
  /** As they are. */
  rx: number;
  /** The most that the card can have. */
  rxMost: number;
}

/**
 * Reads what `ethtool -g` prints.
 *
 * @returns Undefined where the card has no rings to set.
 */
export function parseRingSizes(text: string): RingSizes | undefined {
  const [most, now] = [...text.matchAll(/^RX:\s*(\d+)/gm)].map(([, value]) => Number(value));
  return most === undefined || now === undefined ? undefined : { rx: now, rxMost: most };
}
