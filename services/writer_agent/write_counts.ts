import type { WriterStatus } from "../../lib/acquisition/mod.ts";
import type { Writer } from "../../lib/http/mod.ts";

/** What became of a run's images, as REST and RabbitMQ tell it. */
export type WriteCounts = Omit<Writer["acquisition"]["stats"], "start_time" | "stop_time">;

/** The counts of a run. */
export function writeCounts(stats: WriterStatus["acquisition"]["stats"]): WriteCounts {
  return {
    n_write_requested: stats.nWriteRequested,
    n_write_completed: stats.nWriteCompleted,
    n_lost: stats.nLost,
    n_missing: stats.nMissing,
    n_failed: stats.nFailed,
    n_not_taken: stats.nNotTaken,
  };
}
