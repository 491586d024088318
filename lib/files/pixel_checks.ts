/** Which images' pixels a check reads: none, some over the whole file, or all. */
export const PIXEL_CHECKS = ["none", "sample", "all"] as const;
