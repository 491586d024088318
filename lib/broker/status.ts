/** What may become of a request, as in the header `action` of a status. `request_progress` is ours. */
export type StatusAction =
  | "request_start"
  | "request_progress"
  | "request_success"
  | "request_fail";

/** What a service says about a request. */
export interface Status {
  /** The request, as its sender named it; empty when it was sent without a name. */
  requestId: string;
  /** The tag of the service, a pattern: which requests are for it. */
  tag: string;
  /** What became of it. */
  action: StatusAction;
  /** The service that says so. */
  source: string;
  /** The result, the reason of a failure, how far it is; null at the start. */
  message: unknown;
  /** The request itself: JSON of any kind; null where it was none. */
  request: unknown;
}

const ACTIONS: readonly StatusAction[] = [
  "request_start",
  "request_progress",
  "request_success",
  "request_fail",
];

/** Whether nothing follows from this service for this request. */
export function isFinal(action: StatusAction): boolean {
  return action === "request_success" || action === "request_fail";
}

/** The action of this name; undefined when there is none. */
export function toAction(name: unknown): StatusAction | undefined {
  return ACTIONS.find((action) => action === name);
}
