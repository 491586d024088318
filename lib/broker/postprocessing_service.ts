import { stringifyJson } from "../protocol/json.ts";
import type { Handled } from "./_subscription.ts";
import { type Delivery, readStatus } from "./_messages.ts";
import { Recent } from "./_recent.ts";
import { BrokerUsageError } from "./broker_error.ts";
import { BrokerService } from "./broker_service.ts";
import { checkName } from "./names.ts";
import { ServiceCore } from "./_service.ts";
import type { BrokerServiceOptions, RequestTools } from "./service_options.ts";
import type { Status } from "./status.ts";

/** What a post-processing handler works with besides the request. */
export interface PostprocessingTools extends RequestTools {
  /** The result of the primary service: the message of its `request_success`. */
  readonly result: unknown;
}

/** How to be a post-processing service. */
export interface PostprocessingServiceOptions<Request>
  extends BrokerServiceOptions<Request, PostprocessingTools> {
  /** Name of the service whose successes start this one. */
  primary: string;
}

type Core<Request> = ServiceCore<Request, PostprocessingTools>;

/**
 * A service that goes on where another one has succeeded, with the same request and request id. Where the
 * other has failed, it fails, too, and passes the reason on.
 */
export class PostprocessingService extends BrokerService {
  /**
   * Connects and listens to the primary service; resolves when what it says from now on will be seen.
   *
   * @throws {BrokerError} If the broker cannot be reached or refuses.
   * @throws {BrokerUsageError} If it is to follow itself, or a name cannot be one.
   */
  static async start<Request>(
    options: PostprocessingServiceOptions<Request>,
  ): Promise<PostprocessingService> {
    const { primary, serviceName, queue, onNote = () => {} } = options;
    checkName("primary service", primary);
    if (primary === serviceName) {
      throw new BrokerUsageError(
        `${serviceName} is to follow ${primary}: itself. Give it a name of its own`,
      );
    }
    const failures = new Recent(options.remember ?? 10_000);
    const core = await ServiceCore.start<Request, PostprocessingTools>(
      options,
      (core, connection) =>
        connection.consume({ exchange: "status", tag: "#", name: queue }, async (delivery) => {
          const status = readStatus(delivery);
          if (status === undefined) onNote("a malformed status was ignored");
          if (status?.source !== primary) return "ack";
          if (status.action === "request_fail" && status.requestId !== "") {
            // The last statuses may be told twice.
            if (failures.has(status.requestId)) return "ack";
            failures.add(status.requestId);
          }
          return await follow(core, delivery, status);
        }),
    );
    return new PostprocessingService(core);
  }
}

async function follow<Request>(
  core: Core<Request>,
  delivery: Delivery,
  { action, source, message }: Status,
): Promise<Handled> {
  if (action === "request_fail") {
    const reason = typeof message === "string" ? message : stringifyJson(message);
    await core.tell(delivery, "request_fail", `Primary service ${source} failure. ${reason}`);
    return "ack";
  }
  if (action !== "request_success") return "ack";
  return await core.runner.take(delivery, (tools) => ({ ...tools, result: message }));
}
