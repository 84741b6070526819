import {
  ActivityCancellationType,
  CancellationScope,
  condition,
  executeChild,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { backupWorkflowId } from '../model/names.js';
import type { ArchiveActivities, ShardToArchive } from '../model/backup-work.js';
import { backup } from './backup.js';
import { messageOf } from './failure.js';

/** Nothing was begun: who asked for it is told soon. */
const first = proxyActivities<Pick<ArchiveActivities, 'beginArchive'>>({
  startToCloseTimeout: '5 min',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumAttempts: 3 },
});
const unending = proxyActivities<Pick<ArchiveActivities, 'archiveShard'>>({
  startToCloseTimeout: '365 d',
  heartbeatTimeout: '10 s',
  // What it holds is stored after it was told to end.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
});

/** What is merged is hours old, and no worse for being older. */
const merging = proxyActivities<Pick<ArchiveActivities, 'mergeArchive'>>({
  startToCloseTimeout: '24 h',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min', maximumAttempts: 10 },
});

const PAUSE = '1 min';
const MERGE_EVERY = '1 h';
const NOTES = 10;

/** The shards that are archived, and the backups that they need. */
export class Archiving {
  readonly #running = new Map<string, { shard: string; scope: CancellationScope; ended: Promise<void> }>();
  readonly #notes: string[] = [];
  readonly #order: { deployment: string; operation: string };
  #merging: { scope: CancellationScope; ended: Promise<void> } | undefined;
  #target = '';
  /** Slots have moved: there are others to archive. */
  #stale = false;
  /** A line that no backup lies in. */
  #wanted = false;
  #taking = false;

  constructor(deployment: string, operation: string) {
    this.#order = { deployment, operation };
  }

  /** @throws where it can't be begun at all */
  async begin(): Promise<void> {
    const { deployment } = this.#order;
    const { shards, target } = await first.beginArchive.executeWithOptions(
      { summary: `read ${deployment}, and try the target` },
      [this.#order],
    );
    this.#target = target;
    this.#stale = false;
    for (const shard of shards) if (!this.#running.has(shard.slots)) this.#start(shard);
    this.#show();
  }

  /** Waits until something is to be done, and does it. */
  async next(): Promise<void> {
    await condition(() => this.#wanted || this.#stale || workflowInfo().continueAsNewSuggested);
    if (this.#stale) await this.#tried('which shards there are by now can’t be told', () => this.begin());
    if (this.#wanted) await this.#tried('a backup for the archive was not taken', () => this.#takeBackup());
  }

  /** Begins to make larger segments of small ones, now and every hour until the end. */
  merge(): void {
    const scope = new CancellationScope({ cancellable: true });
    const ended = scope
      .run(() => this.#keepMerging())
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
    this.#merging = { scope, ended };
  }

  async end(): Promise<void> {
    await CancellationScope.nonCancellable(async () => {
      const all = [...this.#running.values(), ...(this.#merging ? [this.#merging] : [])];
      for (const { scope } of all) scope.cancel();
      await Promise.all(all.map(({ ended }) => ended));
    });
  }

  async #keepMerging(): Promise<void> {
    for (;;) {
      try {
        const input = { ...this.#order, now: Date.now() };
        const { segments, into } = await merging.mergeArchive.executeWithOptions(
          { summary: 'make larger segments of small ones' },
          [input],
        );
        if (segments > 0) this.#note(`${segments} segments were made into ${into}`);
      } catch (error) {
        if (isCancellation(error)) throw error;
        this.#note(
          `small segments were not made into larger ones, and that is tried again in an hour: ${messageOf(error)}`,
        );
      }
      await sleep(MERGE_EVERY);
    }
  }

  #start(shard: ShardToArchive): void {
    const scope = new CancellationScope({ cancellable: true });
    const ended = scope
      .run(() => this.#archive(shard))
      .catch((error: unknown) => {
        if (!isCancellation(error)) this.#note(`${shard.shard}: ${messageOf(error)}`);
      })
      .finally(() => this.#running.delete(shard.slots));
    this.#running.set(shard.slots, { shard: shard.shard, scope, ended });
  }

  /** Until its slots are no shard’s any more. */
  async #archive(shard: ShardToArchive): Promise<void> {
    for (;;) {
      const snapshotComing = this.#wanted || this.#taking;
      try {
        const { kind, why } = await unending.archiveShard.executeWithOptions({ summary: `archive ${shard.shard}` }, [
          { ...this.#order, ...shard, snapshotComing },
        ]);
        this.#note(`${shard.shard}: ${why}`);
        if (kind === 'needsSnapshot') this.#wanted = true;
        if (kind === 'moved') {
          this.#stale = true;
          return;
        }
      } catch (error) {
        if (isCancellation(error)) throw error;
        // A key that is not there, a bucket that refuses: it goes on once that is mended.
        this.#note(`${shard.shard} is not archived, and tried again in a minute: ${messageOf(error)}`);
        await sleep(PAUSE);
      }
    }
  }

  /** Of all shards, so that they go together; one that runs already may have been begun too early. */
  async #takeBackup(): Promise<void> {
    const { deployment } = this.#order;
    this.#wanted = false;
    this.#taking = true;
    this.#show();
    try {
      for (;;)
        try {
          const { backup: id } = await executeChild(backup, {
            workflowId: backupWorkflowId(deployment),
            args: [{ deployment, startedBy: `archive of ${deployment}` }],
            staticSummary: `a backup of ${deployment}, for its archive to begin from`,
          });
          this.#note(`backup ${id} lies in the archive`);
          return;
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          await sleep('5 s');
        }
    } catch (error) {
      this.#wanted = true;
      throw error;
    } finally {
      this.#taking = false;
      this.#show();
    }
  }

  async #tried(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isCancellation(error)) throw error;
      this.#note(`${what}, and is tried again in a minute: ${messageOf(error)}`);
      await sleep(PAUSE);
    }
  }

  #note(text: string): void {
    this.#notes.push(`- ${new Date().toISOString()} ${text}`);
    this.#notes.splice(0, this.#notes.length - NOTES);
    this.#show();
  }

  #show(): void {
    const { deployment } = this.#order;
    const shards = [...this.#running.values()].map(({ shard }) => shard).sort();
    const state = this.#taking
      ? 'A backup is being taken for it to begin from.'
      : this.#wanted
        ? 'It needs a backup.'
        : '';
    setCurrentDetails(
      [
        `${deployment} is archived into ${this.#target}: ${shards.join(', ') || 'no shard yet'}. ${state}`.trim(),
        `How far it reaches: rollout backups ${deployment}. Stop it: rollout archive ${deployment} --stop.`,
        ...this.#notes,
      ].join('\n\n'),
    );
  }
}
