/** At most `limit` at once; after a failure no further one begins, and those that run come to their end first. */
export async function inParallel<Item>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const problems: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && problems.length === 0; item = queue.shift())
      try {
        await work(item);
      } catch (error) {
        problems.push(error);
      }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (problems.length > 0) throw problems[0];
}
