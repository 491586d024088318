/**
 * What services find out about an acquisition, as the store keeps it: in the original's envelope, with its
 * names.
 *
 * @module
 */
import type { FileReport } from "./check_file.ts";

/** A report on an acquisition; `report_type` says who made it. */
export interface AcquisitionReport<Report = unknown> {
  /** Kind of service: `file_validator`, `preview`. */
  report_type: string;
  /** What it found. */
  report: Report;
}

/** What the original's file_validator says of a file. */
export interface OriginalFileReport {
  /** Whether it is an image file. */
  readable: boolean;
  /** Images in it. */
  n_images: number | null;
  /** Ids of the first image and the last one; null without images. */
  image_id_range: readonly [first: bigint, last: bigint] | null;
}

/** The report of file_validator: the original's members, and ours. */
export function validatorReport(
  report: FileReport,
): AcquisitionReport<OriginalFileReport & FileReport> {
  const { images, image_ids: { first, last } } = report;
  const image_id_range = first === null || last === null ? null : [first, last] as const;
  return {
    report_type: "file_validator",
    report: { readable: true, n_images: images, image_id_range, ...report },
  };
}
