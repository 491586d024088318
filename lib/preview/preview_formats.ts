/** What a preview can be: an animation, or images side by side. */
export const PREVIEW_FORMATS = ["gif", "png"] as const;
