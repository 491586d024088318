/**
 * Requests through RabbitMQ: the agent as a primary service, beside the REST interface and on the same
 * controller, so that one request at a time has the writer, wherever it comes from.
 *
 * @module
 */
import { z } from "zod";
import type { WriterStatus } from "../../lib/acquisition/mod.ts";
import type { RequestTools } from "../../lib/broker/mod.ts";
import { writeRequestSchema } from "../../lib/http/mod.ts";
import type { RequestService } from "../../lib/service/mod.ts";
import type { Accounting } from "./api.ts";
import type { AcquisitionController } from "./controller.ts";
import { type Clock, SYSTEM_CLOCK } from "./ports.ts";
import { type WriteCounts, writeCounts } from "./write_counts.ts";
import { checkWriteRequest, type WriteRequestRules } from "./write_request.ts";

/** How far a run is, is told so often, ms. */
const PROGRESS_MS = 1_000;
/** A killed run has so long to close its file before it is left behind, ms. */
const CLOSE_MS = 60_000;

/** What the requests need. */
export interface BrokerRequestsOptions {
  readonly controller: Pick<AcquisitionController, "start" | "stop" | "status">;
  /** Name of the detector whose images are written. */
  readonly detector: string;
  readonly rules: WriteRequestRules;
  readonly readAccounting: () => Accounting;
  readonly clock?: Clock;
}

/** A run as its statuses tell it. */
interface RunReport extends WriteCounts {
  state: string;
  output_file: string;
  run_id: bigint;
  n_images: number;
  /** When the run began and ended, s since 1970; null before that. */
  init_timestamp: number | null;
  end_timestamp: number | null;
}

/** What the agent does with requests through RabbitMQ. */
export function brokerRequests(options: BrokerRequestsOptions): RequestService<BrokerWriteRequest> {
  return {
    schema: brokerWriteRequestSchema,
    graceMs: CLOSE_MS,
    onRequest: (_id, request, tools) => write(request, tools, options),
    // The signal ends the run; this says that there is a handler.
    onKill: () => {},
  };
}

const ids = writeRequestSchema.shape;

/** The request of `POST /writer/write_async`, and the members that requests through RabbitMQ have besides. */
export const brokerWriteRequestSchema = writeRequestSchema.extend({
  sources: z.union([z.string(), z.array(z.string())]).optional(),
  start_pulse_id: ids.start_image_id,
  stop_pulse_id: ids.stop_image_id,
}).superRefine((request, { addIssue }) => {
  for (const end of ["start", "stop"] as const) {
    const [pulse, image] = [request[`${end}_pulse_id`], request[`${end}_image_id`]];
    if (pulse === undefined || image === undefined || pulse === image) continue;
    addIssue({
      code: "custom",
      path: [`${end}_pulse_id`],
      message: `${pulse} contradicts ${end}_image_id ${image}: both mean one id, give one of them`,
    });
  }
});

/** A request through RabbitMQ. */
export type BrokerWriteRequest = z.output<typeof brokerWriteRequestSchema>;

async function write(
  request: BrokerWriteRequest,
  { signal, progress }: RequestTools,
  options: BrokerRequestsOptions,
): Promise<unknown> {
  const { controller, readAccounting, clock = SYSTEM_CLOCK } = options;
  refuseOthers(request, options);
  const checked = checkWriteRequest(withImageIds(request), options.rules);
  if ("problem" in checked) throw new Error(checked.message);
  const before = readAccounting();
  const onAbort = (): void => void controller.stop();
  const starting = controller.start(checked);
  signal.addEventListener("abort", onAbort, { once: true });
  let endReports = (): void => {};
  try {
    const outcome = await starting;
    if (!outcome.ok) throw new Error(outcome.message);
    progress(report(controller.status));
    endReports = every(PROGRESS_MS, clock, () => progress(report(controller.status)));
    const ended = await outcome.ended;
    const result = {
      ...report(ended),
      status: ended.acquisition.message,
      accounting: difference(readAccounting(), before),
    };
    endReports();
    if (ended.acquisition.message.startsWith("Completed.")) return result;
    progress(result); // a failure's own message is a text
    throw new Error(ended.acquisition.message);
  } finally {
    endReports();
    signal.removeEventListener("abort", onAbort);
  }
}

/** @throws {Error} If the request is for another detector. */
function refuseOthers(
  { sources = [] }: BrokerWriteRequest,
  { detector }: BrokerRequestsOptions,
): void {
  const wanted = [sources].flat();
  if (wanted.length > 0 && !wanted.includes(detector)) {
    throw new Error(
      `sources: this agent writes images of ${detector}, and not of ${wanted.join(", ")}. ` +
        "Send the request to the tag of the agent that does, or leave sources out.",
    );
  }
}

/** Pulse ids number images here: they are the same range by the name that requests for pulses have, and equal. */
function withImageIds(request: BrokerWriteRequest): BrokerWriteRequest {
  const { start_pulse_id: start, stop_pulse_id: stop, ...rest } = request;
  return {
    ...rest,
    ...(start !== undefined && { start_image_id: start }),
    ...(stop !== undefined && { stop_image_id: stop }),
  };
}

function report({ acquisition: { state, info, stats } }: WriterStatus): RunReport {
  return {
    state,
    output_file: info.outputFile,
    run_id: info.runId,
    n_images: info.nImages,
    init_timestamp: stats.startTime,
    end_timestamp: stats.stopTime,
    ...writeCounts(stats),
  };
}

/** What became of packets, frames and images meanwhile; a service that was restarted counts afresh. */
function difference(after: Accounting, before: Accounting): Accounting {
  return Object.fromEntries(
    Object.entries(after).map(([name, count]) => {
      const gained = count - (before[name] ?? 0n);
      return [name, gained < 0n ? count : gained];
    }),
  );
}

/** Calls back again and again; returns a function that ends it. */
function every(ms: number, clock: Clock, callback: () => void): () => void {
  let cancel = clock.after(ms, function again(): void {
    cancel = clock.after(ms, again);
    callback();
  });
  return () => cancel();
}
