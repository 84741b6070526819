import { CancellationScope, getExternalWorkflowHandle, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import { familySignals, type ControlName } from '../model/names.js';
import type { Waiting } from '../model/operation.js';
import { blockedSignal, nodesSignal, type Blocked, type NodesCame } from './definitions.js';
import type { Operation } from './operation.js';
import { rootOf } from './root.js';

/** The workflows of one operation: what they tell each other, upwards to the root and downwards to running children. */
export class Family {
  readonly id = workflowInfo().workflowId;
  readonly rootId: string;
  readonly isRoot: boolean;
  readonly #children = new Set<string>();
  readonly #blocked = new Map<string, Waiting[]>();
  #foreign = new Set<Waiting>();
  #untold: NodesCame[] = [];
  /** One after the other to each child: a resume must not overtake its pause. */
  readonly #lines = new Map<string, Promise<void>>();
  #telling = 0;

  constructor(readonly operation: Operation) {
    this.rootId = rootOf(operation.status.deployment).workflowId;
    this.isRoot = this.rootId === this.id;
    setHandler(nodesSignal, (came) => this.tellNodes(came));
    setHandler(blockedSignal, ({ from, waiting }: Blocked) => {
      this.#blocked.set(from, waiting);
      this.#showWaiting();
    });
    const { parent } = workflowInfo();
    if (parent)
      operation.onWaiting = () => {
        // Whoever looks at what is waited for sees how far it is, too.
        this.tellRoot();
        const blocked: Blocked = { from: this.id, waiting: operation.status.waiting };
        // An operation that another workflow has started tells that one.
        void this.tell(familySignals.blocked, blocked, this.isRoot ? parent.workflowId : this.rootId);
      };
  }

  /** Is no word on its way any more? */
  get isSilent(): boolean {
    return this.#telling === 0;
  }

  /** From now on it hears what the operation is told. */
  add(child: string): void {
    this.#children.add(child);
    this.operation.status.children.push(child);
    this.operation.publish();
  }

  /** A child has ended: nothing goes to it any more, and what it waited for is over. */
  drop(child: string): void {
    const { status } = this.operation;
    status.children = status.children.filter((id) => id !== child);
    this.#children.delete(child);
    this.#blocked.delete(child);
    this.#showWaiting();
  }

  /** Which children wait for such a thing. */
  waitingFor(isMeant: (waiting: Waiting) => boolean): string[] {
    return [...this.#blocked].filter(([, theirs]) => theirs.some(isMeant)).map(([child]) => child);
  }

  /** Is it a child that waits, and this workflow only shows it? */
  isForeign(waiting: Waiting): boolean {
    return this.#foreign.has(waiting);
  }

  /**
   * How nodes came out: shown here, and at the root, whose statement at the end is of all of them. That a node is upgraded
   * can wait until more are, since each word costs the root's history four events; anything else is told at once.
   */
  tellNodes(came: NodesCame): void {
    this.operation.came(came);
    if (this.isRoot) return;
    this.#untold.push(came);
    if (came.state !== 'upgraded') this.tellRoot();
  }

  /** Tells the root what it was not told yet. */
  tellRoot(): void {
    for (const came of together(this.#untold)) void this.tell(familySignals.nodes, came);
    this.#untold = [];
  }

  /** Hands a control down to every running child. */
  forward(name: ControlName, input: unknown): void {
    for (const child of this.#children) {
      const before = this.#lines.get(child) ?? Promise.resolve();
      this.#lines.set(
        child,
        before.then(() => this.#reach(child, name, input)),
      );
    }
  }

  /** A shard stopped: the others end at their next safe point, since what it left behind may hold their gates for ever. */
  endChildren(reason: string): void {
    this.forward('abort', { by: 'the operation', reason });
  }

  /** Does it reach its workflow? In a scope of its own: a request to cancel is passed on like any other word. */
  async tell(signal: string, input: unknown, to: string = this.rootId): Promise<boolean> {
    this.#telling++;
    try {
      await CancellationScope.nonCancellable(() => getExternalWorkflowHandle(to).signal(signal, input));
      return true;
    } catch {
      return false;
    } finally {
      this.#telling--;
    }
  }

  /** A child that was only just asked for can't be signalled yet; one that has ended needs no word any more. */
  async #reach(child: string, name: ControlName, input: unknown): Promise<void> {
    while (this.#children.has(child) && !(await this.tell(name, input, child)))
      await CancellationScope.nonCancellable(() => sleep('1 s', { summary: `tell ${child} to ${name}` }));
  }

  /** The root shows what its children wait for beside its own. */
  #showWaiting(): void {
    const { status } = this.operation;
    const own = status.waiting.filter((it) => !this.#foreign.has(it));
    this.#foreign = new Set([...this.#blocked.values()].flat());
    status.waiting = [...own, ...this.#foreign];
    this.operation.publish();
  }
}

/** Nodes that came out alike, in the order in which they did, are one word. */
function together(all: readonly NodesCame[]): NodesCame[] {
  const words: NodesCame[] = [];
  for (const came of all) {
    const last = words.at(-1);
    if (last?.state === came.state && last.release === came.release)
      words[words.length - 1] = { ...last, addresses: [...last.addresses, ...came.addresses] };
    else words.push(came);
  }
  return words;
}
