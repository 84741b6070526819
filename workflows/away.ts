import { messageOf, stopped } from './failure.js';
import type { Run } from './run.js';

/** Nodes of a shard that is taken back, and that don't answer: the others go back first. */
export class Away {
  #now: readonly string[] = [];
  readonly #told = new Set<string>();
  readonly #failed = new Map<string, string>();

  constructor(
    readonly run: Run,
    readonly shard: string,
    readonly to: string,
  ) {}

  /** Who is away at this look; each is told of once. */
  tell(away: readonly string[]): readonly string[] {
    const { run, shard } = this;
    this.#now = away;
    for (const node of away.filter((it) => !this.#told.has(it))) {
      this.#told.add(node);
      run.note('note', `${node} of ${shard} does not answer: the others go back first, and it last`, { shard, node });
    }
    return away;
  }

  untried(): string[] {
    return this.#now.filter((node) => !this.#failed.has(node));
  }

  /** Of one that is away a failure waits until all else is done. */
  async tries(node: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (this.run.isControl(error) || !this.#now.includes(node)) throw error;
      this.#failed.set(node, messageOf(error));
    }
  }

  /** @throws Stopped, naming whoever did not come back */
  mustBeBack(): void {
    const left = [...this.#failed].filter(([node]) => this.#now.includes(node));
    if (left.length === 0) return;
    const { run, shard, to } = this;
    throw stopped(
      `every other node of ${shard} runs ${to}, and ${left.map(([node, why]) => `${node}, which did not answer, could not be brought back: ${why}`).join('; ')}. See to it (or have every node forget it: CLUSTER FORGET), and start the fallback of ${run.status.deployment} anew`,
    );
  }
}
