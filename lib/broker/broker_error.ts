/** RabbitMQ could not be reached, or refused what was asked of it. The message says what to do. */
export class BrokerError extends Error {
  /** The class's name. */
  override readonly name: string = "BrokerError";
}

/** No service is bound for the tag that a request or a kill was sent to: nobody got it. */
export class UnroutableError extends BrokerError {
  /** The class's name. */
  override readonly name = "UnroutableError";
}
