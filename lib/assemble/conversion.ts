/**
 * What makes the pixels of the image out of a module's frame: the first half of a converter's work,
 * the placement is the second.
 *
 * @module
 */
import type { ModuleLayout } from "../detector/mod.ts";
import type { CorrectionSetup, ModuleMaps } from "./calibration_maps.ts";

/** A module's conversion: cloneable, so that it can be sent to a Worker. */
export type ModuleConversion =
  /** The frame holds the image's pixels. */
  | { readonly kind: "copy" }
  /** Pixels of 4 bit become pixels of 8 bit. */
  | { readonly kind: "unpack_nibbles" }
  /** GigaFRoST's pixels of 12 bit, two in three bytes, become pixels of 16 bit. */
  | { readonly kind: "unpack_gigafrost" }
  /** Raw Jungfrau pixels become energies or photon counts. */
  | {
    readonly kind: "correct_jungfrau";
    readonly setup: CorrectionSetup;
    readonly maps: ModuleMaps;
  };

/** The conversion that a detector's frames need. */
export function moduleConversion(layout: ModuleLayout): ModuleConversion {
  switch (layout.packedBits) {
    case 4:
      return { kind: "unpack_nibbles" };
    case 12:
      return { kind: "unpack_gigafrost" };
    default:
      return { kind: "copy" };
  }
}
