/** Something that could not be seen, and is therefore neither good nor bad: the document lists it. */
export interface Unseen {
  /** `CONFIG GET *`. */
  what: string;
  /** Where; empty where it is the same everywhere. */
  nodes: string[];
  why: string;
  /** What was therefore not looked at. */
  left: string;
}

/** The same thing at several nodes is one. */
export function together(all: readonly Unseen[]): Unseen[] {
  const known = new Map<string, Unseen>();
  for (const { nodes, ...it } of all) {
    const key = JSON.stringify(it);
    const before = known.get(key)?.nodes ?? [];
    known.set(key, { ...it, nodes: [...new Set([...before, ...nodes])].sort() });
  }
  return [...known.values()];
}
