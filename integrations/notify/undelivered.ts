/** A message that did not arrive, or of which it isn't known. It is tried again: nothing but a message hangs on it. */
export class Undelivered extends Error {
  override readonly name = 'Undelivered';
  /**
   * @param message names the place that it was for, and no secret
   * @param retryAfterMs what the other side asked for, ms
   */
  constructor(
    message: string,
    readonly retryAfterMs?: number,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
