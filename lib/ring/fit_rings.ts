/**
 * One memory budget for all rings of a detector.
 *
 * @module
 */
import { fileSystemSpace } from "../os/mod.ts";
import { RingSpaceError } from "./errors.ts";
import { dataBytes, planIndex, SHM_FOLDER } from "./spec.ts";

/** Fewest slots of a ring: below that a short stall of a reader loses images. */
export const FEWEST_SLOTS = 16;

/** What is to be fitted. */
export interface RingNeeds {
  /** Modules, each with a ring of frames. */
  modules: number;
  /** Bytes of one module's frame. */
  frameBytes: number;
  /** Bytes of an image. */
  imageBytes: number;
  /** Rings of images, of as many slots each; default 1. */
  imageRings?: number;
  /** Most slots of a frame ring. */
  maxFrameSlots: number;
  /** Most slots of the image ring. */
  maxImageSlots: number;
  /** Memory for all rings; default a quarter of what /dev/shm has free: bytes. */
  budgetBytes?: number | undefined;
}

/** Slots of the rings of one detector. */
export interface RingFit {
  /** Slots of each frame ring. */
  frameSlots: number;
  /** Slots of the image ring. */
  imageSlots: number;
  /** Memory that all rings take, bytes. */
  bytes: number;
}

/**
 * Slot counts that fit a budget. Images get four times the depth of frames: frames only have to
 * bridge the assembler's hiccups, images the disk's. Counts are primes where possible, so that image
 * ids that come in steps still use all slots (slot = id mod slots).
 *
 * @throws {RingSpaceError} If not even {@link FEWEST_SLOTS} slots of each fit the budget, or if what the
 * rings are to have is not free.
 */
export function fitRings(
  needs: RingNeeds,
  freeBytes = fileSystemSpace(SHM_FOLDER).availableBytes,
): RingFit {
  const { modules, frameBytes, imageBytes, imageRings = 1, maxFrameSlots, maxImageSlots } = needs;
  const budget = needs.budgetBytes ?? freeBytes / 4;
  const perImage = imageRings * imageBytes + (modules * frameBytes) / 4;
  const size = (frameSlots: number, imageSlots: number): number =>
    modules * ringBytes(frameBytes, frameSlots) + imageRings * ringBytes(imageBytes, imageSlots);
  let imageSlots = primeBelow(Math.min(maxImageSlots, Math.floor(budget / perImage)));
  let frameSlots = primeBelow(Math.min(maxFrameSlots, Math.ceil(imageSlots / 4)));
  while (size(frameSlots, imageSlots) > budget && imageSlots > FEWEST_SLOTS) {
    imageSlots = primeBelow(imageSlots - 1);
    frameSlots = primeBelow(Math.min(maxFrameSlots, Math.ceil(imageSlots / 4)));
  }
  const bytes = size(frameSlots, imageSlots);
  const isWithinBudget = bytes <= (needs.budgetBytes ?? freeBytes);
  if (!isWithinBudget || bytes > freeBytes) {
    const gib = (n: number): string => (n / 2 ** 30).toFixed(2) + " GiB";
    throw new RingSpaceError(
      `The rings ${isWithinBudget ? "are to have" : "need at least"} ${gib(bytes)} ` +
        `(${modules} × ${frameSlots} frames of ${frameBytes} bytes, ` +
        `${imageRings} × ${imageSlots} images of ${imageBytes} bytes); ` +
        `the budget is ${gib(budget)} and ${SHM_FOLDER} has ${gib(freeBytes)} free. ` +
        `Give a ${isWithinBudget ? "smaller" : "larger"} --ram, or ${SHM_FOLDER} more room.`,
    );
  }
  return { frameSlots, imageSlots, bytes };
}

/** Memory that a ring takes in /dev/shm, bytes. */
export function ringBytes(slotBytes: number, slots: number): number {
  return dataBytes({ slotBytes, slots }) + planIndex(slots).bytes;
}

/** The largest prime ≤ n, or {@link FEWEST_SLOTS} where that would be less. */
function primeBelow(n: number): number {
  for (let p = n; p > FEWEST_SLOTS; p--) {
    let prime = true;
    for (let d = 2; d * d <= p && prime; d++) prime = p % d !== 0;
    if (prime) return p;
  }
  return FEWEST_SLOTS;
}
