import { InvalidArgumentError } from "@commander-js/extra-typings";

const UNITS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/**
 * Reads a size such as `4G`, `512M`, `1.5GiB` or plain bytes; prefixes are powers of 1024.
 *
 * @returns Bytes.
 * @throws {InvalidArgumentError} If it is no such size, or not above 0.
 */
export function parseByteSize(text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * UNITS[unit.toUpperCase()]!);
  if (number === "" || !(bytes > 0) || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError("expected a size such as 4G, 512M or 1000000 (bytes).");
  }
  return bytes;
}
