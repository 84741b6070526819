import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import type { SlotRange } from '../../model/topology.js';
import { connect, type Endpoint } from '../connection.js';
import { followKey } from '../standby/point.js';
import { CommandFailed, Elsewhere } from './flights.js';
import { writeRecord } from './record.js';
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
  tools: FollowTools;
  /** What an earlier attempt found the standby can't hold. */
  known?: readonly NotRepresentable[];
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
  const { signal, timeoutMs = 5000 } = input;
  const record = followKey(input.slots);
  const losses = new Losses(input.known);
  const failed = new Map<number, string>();
  const refusedCopies = new Map<string, number>();
  const state = begun();
  let told = 0;
  const tell = (now: boolean): void => {
    if (!now && performance.now() - told < PROGRESS_EVERY_MS) return;
    told = performance.now();
    state.notRepresentable = losses.list();
    state.class = state.notRepresentable.length > 0 ? 'lossless-except' : 'lossless';
    input.onProgress?.(structuredClone(state));
  };
  const onChange = (change: SessionChange): void => {
    tell(apply(state, change, failed));
  };
  for (let misses = 0; ;) {
    const before = state.commands;
    try {
      await followOnce({ ...input, record, failed, refusedCopies, losses, timeoutMs, onChange });
    } catch (error) {
      signal.throwIfAborted();
      misses = state.commands > before ? 0 : misses + 1;
      if (error instanceof CommandFailed) {
        if (typeof error.owner === 'number') failed.set(error.owner, error.reply);
        continue;
      }
      state.phase = 'waiting';
      state.waitsFor = error instanceof Error ? error.message : String(error);
      if (error instanceof Gap) {
        state.gap = error.message;
        await freshCopy(input, { record, losses, state, tell });
        continue;
      }
      tell(true);
      if (!(error instanceof Elsewhere) && (!(error instanceof RolloutError) || lasting.includes(error.type)))
        throw error;
    }
    // Two followers of one standby take turns, and not always at the same moment.
    const pause = Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(misses, 6)) * (0.5 + Math.random());
    await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function freshCopy(
  { tools, primary, standby, target, signal, slots, timeoutMs = 5000 }: FollowInput,
  { record, losses, state, tell }: { record: string; losses: Losses; state: FollowState; tell: (now: boolean) => void },
): Promise<void> {
  const cluster = slots.length > 0;
  state.phase = 'copying';
  state.copies++;
  tell(true);
  const alive = setInterval(() => tell(false), PROGRESS_EVERY_MS);
  try {
    const point = await tools.copyAll({
      ...{ primary: await primary(), standby, record, cluster, target, signal },
      onLost: (what, keys, count) => losses.add(what, keys, count),
    });
    await using connection = await connect(standby, { timeoutMs });
    await writeRecord(connection, { record, cluster, point });
  } catch (error) {
    signal.throwIfAborted();
    // The record that is left leads to the next copy.
    if (!(error instanceof RolloutError) || lasting.includes(error.type)) throw error;
    state.waitsFor = error.message;
  } finally {
    clearInterval(alive);
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
  commands: 0,
  rewritten: 0,
  recopied: 0,
  dirty: 0,
  notRepresentable: [],
  copies: 0,
  class: 'lossless',
  exactSlots: 0,
});
