import type { NodeConnection } from '../connection.js';
import type { Absent } from './absent.js';
import type { Piece } from './batch.js';
import type { DirtyKey, DirtyKeys } from './dirty-keys.js';
import type { Margins } from './margins.js';
import { split } from './split.js';
import type { Losses } from './state.js';
import type { FollowTools } from './tools.js';

/** A connection to the primary that has selected a database. */
export type Connections = (db: number) => Promise<NodeConnection>;

export interface CopierInput {
  dirty: DirtyKeys;
  margins: Margins;
  tools: FollowTools;
  /** Release of the standby. */
  target: string;
  losses: Losses;
  absent: Absent;
  /** How often each copy was refused by the standby, by name. */
  refusedCopies: ReadonlyMap<string, number>;
  /** A copy has come. */
  onReady: () => void;
}

/** What replaces a key at the standby, whatever it holds there; it is dirty until all of it is applied. */
export interface Replacement {
  name: string;
  db: number;
  key: Buffer;
  pieces: Piece[];
}

const COPIES_AT_ONCE = 16;
/** A value that took long to copy is not copied again for so many times as long. */
const COST_FACTOR = 9;
const COSTLY_MS = 20;
const RETRY_MS = 200;
const REFUSED_AT_MOST = 3;

/**
 * Has dirty keys dumped by the primary. Each dump is as of an offset of its stream, and replaces the key once the stream has
 * reached that: what comes before is in it, what comes after is not.
 */
export class Copier {
  readonly #in: CopierInput;
  /** Another function after each link. */
  #primary: Connections | undefined;
  #active = 0;
  /** By name, when it may be copied again, by performance.now(). */
  readonly #notBefore = new Map<string, number>();

  constructor(input: CopierInput) {
    this.#in = input;
  }

  /** From now on it is this primary that is asked: what another one dumped is not of its stream. */
  attached(primary: Connections): void {
    this.#primary = primary;
    this.#in.dirty.forgetCopies();
  }

  /** When a key of this name may be copied, by performance.now(). */
  notBefore = (name: string): number | undefined => this.#notBefore.get(name);

  /** Asks for copies, some at a time. */
  start(): void {
    const primary = this.#primary;
    const { dirty } = this.#in;
    if (!primary || dirty.size === 0) return;
    const now = performance.now();
    for (const it of dirty.values()) {
      if (this.#active >= COPIES_AT_ONCE) return;
      if (it.state === 'dirty' && it.notBefore <= now) it.answered = this.#ask(primary, it, now);
    }
  }

  /** Of a stream that has come so far. Whoever takes a replacement applies it before anything that comes after. */
  *take(position: number): Generator<Replacement> {
    const { dirty, margins } = this.#in;
    for (const it of dirty.values()) {
      if (it.state !== 'ready' || !it.copy || it.copy.offset > position) continue;
      if (it.marginMs !== margins.of(it.key)) {
        it.state = 'dirty';
        continue;
      }
      const pieces = this.#piecesOf(it, it.copy);
      dirty.delete(it);
      yield { name: it.name, db: it.db, key: it.key, pieces };
    }
  }

  async #ask(primary: Connections, it: DirtyKey, begun: number): Promise<void> {
    const { margins, onReady, target, tools } = this.#in;
    it.state = 'copying';
    it.marginMs = margins.of(it.key);
    this.#active++;
    try {
      const copy = await tools.copyKey({ primary: await primary(it.db), key: it.key, target, marginMs: it.marginMs });
      if (primary !== this.#primary) return;
      it.copy = copy;
      it.state = 'ready';
      const costMs = performance.now() - begun;
      if (costMs > COSTLY_MS) this.#notBefore.set(it.name, performance.now() + costMs * COST_FACTOR);
      onReady();
    } catch {
      if (primary === this.#primary) it.state = 'dirty';
      it.notBefore = performance.now() + RETRY_MS;
    } finally {
      this.#active--;
    }
  }

  /** What the standby has refused too often is deleted there, and told of. */
  #piecesOf({ db, key, name }: DirtyKey, copy: NonNullable<DirtyKey['copy']>): Piece[] {
    const { absent, losses, refusedCopies } = this.#in;
    const refused = refusedCopies.get(name) ?? 0;
    const commands = refused >= REFUSED_AT_MOST ? copy.commands.slice(0, 1) : copy.commands;
    if (refused >= REFUSED_AT_MOST) losses.add('values that the older release refused', [key]);
    if (copy.unrepresentable !== undefined) losses.add(copy.unrepresentable, [key]);
    if (commands.length > 1) absent.delete(db, key);
    else if (copy.unrepresentable !== undefined || refused > 0) absent.add(db, key);
    return commands.flatMap((command) => split(command) ?? [command]);
  }
}
