/**
 * At most `limit` at once; after a failure, or once there is `enough`, no further one begins, and those that run come to
 * their end first.
 *
 * @returns those that were not begun
 */
export async function inParallel<Item>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<void>,
  enough: () => boolean = () => false,
): Promise<Item[]> {
  const queue = [...items];
  const problems: unknown[] = [];
  const lane = async (): Promise<void> => {
    while (problems.length === 0 && !enough()) {
      const item = queue.shift();
      if (item === undefined) return;
      try {
        await work(item);
      } catch (error) {
        problems.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (problems.length > 0) throw problems[0];
  return queue;
}
