/**
 * The reasons in a file writer's FAILURE answers that change what the driver does next; any other
 * reason is shown to the user as it is and ends the acquisition.
 *
 * A reason counts when the answer's text starts with it; details may follow.
 *
 * @module
 */

/** The writer holds no file: it restarted since create_file, or never saw it. */
export const REASON_NO_FILE = "no file is open";

/** The writer still holds the file of an earlier acquisition: the driver restarted in mid-run. */
export const REASON_FILE_OPEN = "a file is already open";

/** A file was removed while it was written: its images are not kept. */
export const REASON_FILE_REMOVED = "a file was removed while it was written";

/** A file is not any more where it was made, under another name it is whole. */
export const REASON_FILE_MOVED = "a file was moved while it was written";

/** The image was overwritten in the ring before it was on file; later images are not affected. */
export const REASON_OVERWRITTEN = "image was overwritten";
