/** Of a large cluster: each node is a connection, and its account of a cluster of 1,000 nodes is 120 kB. */
export const NODES_AT_ONCE = 100;

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

/** What the work gives for each node, in their order, some nodes at once. */
export async function eachNode<Node, Result>(
  nodes: readonly Node[],
  work: (node: Node) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  await inParallel([...nodes.entries()], NODES_AT_ONCE, async ([at, node]) => {
    results[at] = await work(node);
  });
  return results;
}
