/** RabbitMQ could not be reached, or refused what was asked of it. The message says what to do. */
export class BrokerError extends Error {
  /** The class's name. */
  override readonly name: string = "BrokerError";
}

/** RabbitMQ could not be reached: another attempt may. */
export class BrokerAwayError extends BrokerError {
  /** The class's name. */
  override readonly name = "BrokerAwayError";
}

/** A named queue has taken as many requests as may wait in it: this one was not taken. */
export class QueueFullError extends BrokerError {
  /** The class's name. */
  override readonly name = "QueueFullError";
}

/** A name or an address that cannot be one: what was asked for makes no sense, whatever RabbitMQ says. */
export class BrokerUsageError extends BrokerError {
  /** The class's name. */
  override readonly name = "BrokerUsageError";
}

/** No service is bound for the tag that a request or a kill was sent to: nobody got it. */
export class UnroutableError extends BrokerError {
  /** The class's name. */
  override readonly name = "UnroutableError";
}
