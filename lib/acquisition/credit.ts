/**
 * Credit: the number of images that may be at a writer unanswered.
 *
 * A writer tells its credit with its answers, from the one to create_file on. Its driver sends it no further
 * image as long as so many are not answered; each answer makes room for another one.
 *
 * @module
 */

/** What a writer's credit follows from. */
export interface CreditBasis {
  /** Slots of the image ring. */
  readonly slots: number;
  /** Writers that share the images of the run. */
  readonly writers: number;
  /** Images that this writer works on at once: those it writes together, or its compressors hold. */
  readonly atOnce: number;
}

/** std-daq's high-water mark: what a socket holds, so that nobody waits to send an order. */
const MOST_CREDIT = 50_000;

/**
 * A writer's share of half of the ring: what a driver takes for the credit of a writer that tells none. The other
 * half is for what arrives while these are written.
 */
export function ringShare(slots: number, writers: number): number {
  return Math.max(1, Math.floor(halfOf(slots) / writers));
}

/**
 * The credit of a writer: its share of half of the ring, and at least twice what it works on at once, so that the
 * next images are there when these are done; of that no more than half of the ring.
 */
export function creditOf({ slots, writers, atOnce }: CreditBasis): number {
  const busy = Math.min(2 * atOnce, halfOf(slots));
  return Math.min(MOST_CREDIT, Math.max(ringShare(slots, writers), busy));
}

function halfOf(slots: number): number {
  return Math.max(1, Math.floor(slots / 2));
}
