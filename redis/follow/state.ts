import type { StandbyComparison } from '../../model/follow-state.js';
import { printable } from '../verify/values.js';

/** What the older release can't hold, by kind, with some of the keys. */
export interface NotRepresentable {
  what: string;
  count: number;
  examples: string[];
}

/** How a follower fares: plain JSON, for a heartbeat. */
export interface FollowState {
  /** `copying`: a fresh copy is made. `following`: linked, and applying. `waiting`: see `waitsFor`. */
  phase: 'starting' | 'copying' | 'following' | 'waiting';
  waitsFor?: string;
  /** Whom it follows. */
  primary: string;
  replid: string;
  /** Last byte of the stream that is in the standby. */
  offset: number;
  primaryOffset: number;
  lagBytes: number;
  /** How long ago the primary was where the standby is, ms, asked ten times a second; and at most so far. */
  lagMs: number;
  lagMsMax: number;
  /** Commands of the stream that were applied, of them rewritten, and keys that were copied again. */
  commands: number;
  rewritten: number;
  recopied: number;
  /** Keys that are still to be copied again. */
  dirty: number;
  notRepresentable: NotRepresentable[];
  /** Fresh copies that had to be made, and why the last. */
  copies: number;
  gap?: string;
  class: 'lossless' | 'lossless-except';
  /** Slots whose expiries carry the small margin. */
  exactSlots: number;
  /** Where the standby is compared with its primary. */
  comparison?: StandbyComparison;
}

const EXAMPLES = 10;
const KINDS = 100;

/** Adds up what is lost by kind; kinds and examples are bounded. */
export class Losses {
  readonly #kinds = new Map<string, NotRepresentable>();

  constructor(known: readonly NotRepresentable[] = []) {
    for (const it of known) this.#kinds.set(it.what, structuredClone(it));
  }

  add(what: string, keys: readonly Buffer[], count = 1): void {
    const name = this.#kinds.has(what) || this.#kinds.size < KINDS ? what : 'others';
    const kind = this.#kinds.get(name) ?? { what: name, count: 0, examples: [] };
    this.#kinds.set(name, kind);
    kind.count += count;
    for (const key of keys) {
      if (kind.examples.length >= EXAMPLES) return;
      const text = printable(key);
      if (!kind.examples.includes(text)) kind.examples.push(text);
    }
  }

  list(): NotRepresentable[] {
    return [...this.#kinds.values()].map((it) => ({ ...it, examples: [...it.examples] }));
  }
}
