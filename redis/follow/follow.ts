import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import type { SlotRange } from '../../model/topology.js';
import type { Endpoint } from '../connection.js';
import { followKey } from '../standby/point.js';
import type { StandbyComparison } from '../../model/follow-state.js';
import type { CompareOptions } from './comparing.js';
import { Comparison } from './comparison.js';
import { Absent } from './absent.js';
import { followTools } from './copying.js';
import { CommandFailed, Elsewhere } from './flights.js';
import { freshCopy, type FreshCopyInput } from './fresh-copy.js';
import { NotServed } from './not-served.js';
import { isPassing } from './passing.js';
import { followOnce, Gap, type SessionChange } from './session.js';
import { Losses, type FollowState, type NotRepresentable } from './state.js';
import type { FollowTools } from './tools.js';

export interface FollowInput {
  /** Who is primary now: asked before each connection. */
  primary: () => Promise<Endpoint>;
  standby: Endpoint;
  /** The shard's slots; empty for servers outside of a cluster, whose databases are all followed. */
  slots: readonly SlotRange[];
  /** Releases of the primary and of the standby. */
  source: string;
  target: string;
  /** Default: the product's own. */
  tools?: FollowTools;
  /** What an earlier attempt found the standby can't hold. */
  known?: readonly NotRepresentable[];
  /** Compares the standby with its primary all the while; `known` is what an earlier attempt came to. */
  compare?: CompareOptions & { known?: StandbyComparison };
  /** Called a few times a second, and whenever the phase changes. */
  onProgress?: (state: FollowState) => void;
  /** Ends it. */
  signal: AbortSignal;
  /** For connections and short answers, ms (default 5000). */
  timeoutMs?: number;
}

/** Failures that another try does not mend. */
const lasting = ['Unauthorized', 'MissingPermission', 'StandbyLost', 'BadInput'];
const PROGRESS_EVERY_MS = 200;
const LONGEST_PAUSE_MS = 2000;

/**
 * Keeps a standby of an older release as its shard's primary is, for as long as it is let: across cut links, failovers,
 * restarts of the standby, and its own death at any point. Every command counts once, since how far it came is written in
 * the same step as what it did.
 *
 * @throws RolloutError Unauthorized, MissingPermission, StandbyLost; the signal's reason when it is aborted
 */
export async function follow(input: FollowInput): Promise<never> {
  const { compare: asked, ...rest } = input;
  const { signal, timeoutMs = 5000, tools = followTools } = rest;
  const record = followKey(input.slots);
  const losses = new Losses(input.known);
  const compare = asked && { ...asked, comparison: new Comparison(asked.known) };
  const failed = new Map<number, string>();
  const refusedCopies = new Map<string, number>();
  const notServed = new NotServed();
  const absent = new Absent();
  const state = begun();
  let told = 0;
  const tell = (now: boolean): void => {
    if (!now && performance.now() - told < PROGRESS_EVERY_MS) return;
    told = performance.now();
    state.notRepresentable = losses.list();
    state.class = state.notRepresentable.length > 0 ? 'lossless-except' : 'lossless';
    if (compare) state.comparison = compare.comparison.now();
    input.onProgress?.(structuredClone(state));
  };
  const onChange = (change: SessionChange): void => {
    if (change.kind === 'landed') notServed.forgetUpTo(change.landed.batch.to);
    tell(apply(state, change, failed));
  };
  const skipped = new Set<string>();
  let gap: Gap | undefined;
  for (let misses = 0; ;) {
    const before = state.commands;
    try {
      if (gap) {
        Object.assign(state, { phase: 'copying', gap: gap.message, copies: state.copies + 1 });
        tell(true);
        const alive = setInterval(() => tell(false), PROGRESS_EVERY_MS);
        try {
          await copyAnew({
            ...input,
            tools,
            timeoutMs,
            primary: await input.primary(),
            record,
            losses,
            skipped,
            bySight: gap.bySight,
          });
        } finally {
          clearInterval(alive);
        }
        gap = undefined;
      }
      await followOnce({
        ...{ ...rest, tools, record, failed, refusedCopies, notServed, absent, losses, skipped, timeoutMs, onChange },
        ...(compare ? { compare } : {}),
      });
    } catch (error) {
      signal.throwIfAborted();
      misses = state.commands > before ? 0 : misses + 1;
      if (error instanceof CommandFailed) {
        if (typeof error.owner === 'number') failed.set(error.owner, error.reply);
        continue;
      }
      if (error instanceof Gap) gap = error;
      state.phase = 'waiting';
      state.waitsFor = error instanceof Error ? error.message : String(error);
      tell(true);
      // A server in passing says so in words of its own where no command of the stream was asked for.
      const passing =
        error instanceof Gap ||
        error instanceof Elsewhere ||
        error instanceof RolloutError ||
        (error instanceof Error && isPassing(error.message));
      if (!passing || (error instanceof RolloutError && lasting.includes(error.type))) throw error;
    }
    // Two followers of one standby take turns, and not always at the same moment.
    const pause = Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(misses, 6)) * (0.5 + Math.random());
    await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** A value that the standby refuses is left out of the next attempt, and told of. */
async function copyAnew(input: FreshCopyInput & { skipped: Set<string> }): Promise<void> {
  for (;;)
    try {
      await freshCopy(input);
      return;
    } catch (error) {
      if (!(error instanceof CommandFailed) || typeof error.owner !== 'string' || input.skipped.has(error.owner))
        throw error;
      input.skipped.add(error.owner);
      const key = error.owner.slice(error.owner.indexOf(':') + 1);
      input.losses.add('values that the older release refused', [Buffer.from(key, 'latin1')]);
    }
}

/** What a change makes of the state; true when it is to be told at once. */
function apply(state: FollowState, change: SessionChange, failed: Map<number, string>): boolean {
  switch (change.kind) {
    case 'attached':
      delete state.waitsFor;
      Object.assign(state, {
        phase: 'following',
        primary: change.primary,
        replid: change.replid,
        offset: change.offset,
        exactSlots: change.exactSlots,
      });
      return true;
    case 'detached':
      Object.assign(state, { phase: 'waiting', waitsFor: change.why });
      return true;
    case 'looked':
      Object.assign(state, {
        primaryOffset: change.primaryOffset,
        dirty: change.dirty,
        lagBytes: change.lagBytes,
        lagMs: change.lagMs,
        lagMsMax: Math.max(state.lagMsMax, change.lagMs),
      });
      return false;
    case 'landed': {
      const { batch } = change.landed;
      state.offset = batch.to;
      state.replid = batch.replid;
      state.commands += batch.commands;
      state.rewritten += batch.rewritten;
      state.recopied += batch.recopied;
      Object.assign(state, {
        dirty: change.dirty,
        exactSlots: change.exactSlots,
        lagBytes: change.lagBytes,
        lagMs: change.lagMs,
        lagMsMax: Math.max(state.lagMsMax, change.lagMs),
      });
      for (const offset of failed.keys()) if (offset <= batch.to) failed.delete(offset);
      return false;
    }
  }
}

const begun = (): FollowState => ({
  phase: 'starting',
  primary: '',
  replid: '',
  offset: 0,
  primaryOffset: 0,
  lagBytes: 0,
  lagMs: 0,
  lagMsMax: 0,
  commands: 0,
  rewritten: 0,
  recopied: 0,
  dirty: 0,
  notRepresentable: [],
  copies: 0,
  class: 'lossless',
  exactSlots: 0,
});
