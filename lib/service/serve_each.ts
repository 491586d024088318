import { logText } from "./logging.ts";
import type { ServiceToRun } from "./serve_requests.ts";

/**
 * Does something with each of what comes, one after the other, until the service is told to stop, then ends
 * the process. What fails is logged, and the next is taken.
 *
 * @param service Set up.
 * @param coming What comes; ends with the signal.
 * @param handle Does it; gives up when the signal aborts.
 * @returns Never: the process exits.
 */
export async function serveEach<Item>(
  service: ServiceToRun,
  coming: (signal: AbortSignal) => AsyncIterable<Item>,
  handle: (item: Item, signal: AbortSignal) => Promise<unknown>,
): Promise<never> {
  return await service.run(async () => {
    const end = new AbortController();
    const counts = { done: 0, failed: 0 };
    const served = serve();
    service.onStop(async () => {
      end.abort();
      await served;
    }, "work");
    service.onStats(() => counts);
    service.ready();
    await Promise.race([service.stopped, served]);

    async function serve(): Promise<void> {
      for await (const item of coming(end.signal)) {
        try {
          await handle(item, end.signal);
          counts.done++;
        } catch (error) {
          if (end.signal.aborted) return;
          counts.failed++;
          const reason = error instanceof Error ? error.message : String(error);
          logText(service.logger, "warning", reason, { error });
        }
      }
    }
  });
}
