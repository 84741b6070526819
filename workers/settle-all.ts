/**
 * As `Promise.all`, but comes back only when every one has settled. The gRPC client retries on a timer, and one that is
 * still retrying when its connection is closed throws `Channel has been shut down` where nobody can catch it.
 */
export async function settleAll<T extends readonly Promise<unknown>[] | []>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
