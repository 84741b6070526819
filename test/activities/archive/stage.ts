import { randomBytes } from 'node:crypto';
import { vi } from 'vitest';
import { archiveShard, type ArchiveEnd, type ArchiveShard } from '../../../activities/archive-shard.js';
import { resolvePoint } from '../../../activities/recovery-point.js';
import { snapshotAt } from '../../../activities/snapshot-at.js';
import { ArchiveStore } from '../../../integrations/archive-store.js';
import { BackupStore } from '../../../integrations/backup-store.js';
import type { SealingKeys } from '../../../integrations/sealed.js';
import { stretchesOf, type ArchiveState, type Stretch } from '../../../model/archive.js';
import { manifestOf, type SealedShard } from '../../../model/backup-manifest.js';
import type { PointAsked, RecoveryPoint } from '../../../model/recovery-point.js';
import type { Deployment } from '../../../model/deployment.js';
import type { NodeConnection } from '../../../redis/connection.js';
import { readInfo } from '../../../redis/node.js';
import type { Elements } from '../../../redis/rdb/elements.js';
import { RdbReader } from '../../../redis/rdb/reader.js';
import { openSnapshot, releaseFromAux } from '../../../redis/snapshot.js';
import { ValueDigest } from '../../../redis/verify/value-digest.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import type { S3Server } from '../../../scripts/sandbox/s3-server.js';

const SLOTS = '0-16383';
const { signal } = new AbortController();

/** A primary with replicas, and an archive of what they are given, in a bucket of its own. */
export class ArchiveStage implements AsyncDisposable {
  readonly states: ArchiveState[] = [];
  readonly snapshots: SealedShard[] = [];
  /** Nodes in the order in which they are to be read; the first is the primary. */
  order = [1, 0];
  moved: string | undefined;
  #running: { ended: Promise<ArchiveEnd | Error>; stop: AbortController } | undefined;

  private constructor(
    readonly sandbox: Sandbox,
    readonly nodes: NodeConnection[],
    readonly release: string,
    readonly backups: BackupStore,
    readonly archive: ArchiveStore,
    readonly keys: SealingKeys,
    /** Of its own in the bucket. */
    readonly prefix: string,
  ) {}

  static async open(
    release: string,
    s3: S3Server,
    { replicas = 1, configuration = [], endpoint = s3.endpoint }: { replicas?: number; configuration?: string[]; endpoint?: string } = {}, // prettier-ignore
  ): Promise<ArchiveStage> {
    vi.stubEnv('ROLLOUT_TEST_BACKUP_KEY', randomBytes(32).toString('base64'));
    vi.stubEnv('ROLLOUT_TEST_S3_ID', s3.accessKeyId);
    vi.stubEnv('ROLLOUT_TEST_S3_SECRET', s3.secretAccessKey);
    const prefix = randomBytes(4).toString('hex');
    const deployment = {
      name: 'orders',
      backup: {
        ...{ directory: '/nowhere', keep: 3, encryption: { key: 'env:ROLLOUT_TEST_BACKUP_KEY', olderKeys: [] } },
        target: {
          ...{ kind: 's3', bucket: s3.bucket, prefix, region: 'us-east-1', endpoint },
          ...{ accessKeyId: 'env:ROLLOUT_TEST_S3_ID', secretAccessKey: 'env:ROLLOUT_TEST_S3_SECRET' },
        },
      },
    } as unknown as Deployment;
    const sandbox = await Sandbox.servers(1 + replicas, {
      release,
      // A server that is idle has something to archive, too: what it pings its replicas with.
      configuration: ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1', ...configuration],
    });
    const nodes = await Promise.all(sandbox.nodes.map((node) => sandbox.connect(node, { timeoutMs: 30_000 })));
    const stage = new ArchiveStage(
      ...[sandbox, nodes, release, await BackupStore.open(deployment), await ArchiveStore.open(deployment)] as const, // prettier-ignore
      await (await BackupStore.open(deployment)).keys(),
      prefix,
    );
    for (const replica of nodes.slice(1)) await replica.call('REPLICAOF', '127.0.0.1', sandbox.nodes[0]?.port ?? 0);
    await until('the replicas are linked', async () =>
      (await Promise.all(nodes.slice(1).map((node) => readInfo(node, 'replication')))).every(
        (info) => info['master_link_status'] === 'up',
      ),
    );
    return stage;
  }

  get primary(): NodeConnection {
    const [node] = this.nodes;
    if (!node) throw new Error('there is no primary');
    return node;
  }

  begin(more: Partial<ArchiveShard> = {}): void {
    const stop = new AbortController();
    const ended = archiveShard({
      ...{ shard: 'shard-1', slots: SLOTS, store: this.archive, keys: this.keys },
      reopen: () => Promise.resolve(this.archive),
      // eslint-disable-next-line @typescript-eslint/require-await -- what it stands for waits
      sources: async () => {
        if (this.moved !== undefined) return { moved: this.moved };
        return this.order.map((i) => {
          const node = this.sandbox.nodes[i];
          const role = i === this.order.at(-1) ? ('primary' as const) : ('replica' as const);
          return { endpoint: this.sandbox.endpoint(node), role, release: this.release };
        });
      },
      snapshots: () => Promise.resolve([...this.snapshots].reverse()),
      snapshotComing: false,
      ...{ rollBytes: 1 << 20, rollEveryMs: 50, signal: stop.signal },
      onState: (state) => this.states.push(state),
      ...more,
    }).catch((error: unknown) => error as Error);
    this.#running = { ended, stop };
  }

  get state(): ArchiveState | undefined {
    return this.states.at(-1);
  }

  ended(): Promise<ArchiveEnd | Error> {
    return this.#running?.ended ?? Promise.reject(new Error('it does not run'));
  }

  async stop(): Promise<void> {
    this.#running?.stop.abort();
    await this.#running?.ended;
    this.#running = undefined;
  }

  /** A first run of it says that a backup is needed; it is taken, and the archive goes on. */
  async archiving(more: Partial<ArchiveShard> = {}): Promise<SealedShard> {
    this.begin(more);
    await this.primary.call('SET', 'first', '1');
    const end = await this.ended();
    if (end instanceof Error || end.kind !== 'needsSnapshot') throw new Error(JSON.stringify(end));
    this.begin({ ...more, snapshotComing: true });
    return this.backUp();
  }

  async offset(): Promise<number> {
    return Number((await readInfo(this.primary, 'replication'))['master_repl_offset']);
  }

  async stored(offset: number): Promise<void> {
    await until(`the archive has ${offset}`, async () =>
      (await this.stretches()).some(({ segments }) => (segments.at(-1)?.end ?? 0) >= offset),
    );
  }

  async stretches(): Promise<Stretch[]> {
    return stretchesOf(await this.archive.segments());
  }

  async backUp(node = this.sandbox.nodes[0]): Promise<SealedShard> {
    await using snapshot = await openSnapshot({ from: this.sandbox.endpoint(node), signal });
    const backup = this.nextBackup();
    const { object, ...sealed } = await this.backups.putShard({ backup, shard: 'shard-1', keys: this.keys }, snapshot.chunks()); // prettier-ignore
    const { summary, sha256 } = snapshot.whole();
    const release = releaseFromAux(summary.aux);
    const { keys, expires, databases, functions, rdbVersion, bytes } = summary;
    const shard: SealedShard = {
      ...{ shard: 'shard-1', slots: [[0, 16383]], object, node: 'x', role: 'primary', rdbVersion, keys, expires },
      ...{ databases, functions, replid: snapshot.replid, offset: snapshot.offset, rdb: { bytes, sha256 }, sealed },
      ...(release === undefined ? {} : { release }),
      ...{ compression: 'gzip', key: this.keys.id, cutAt: new Date(snapshot.cutAt).toISOString() },
      endedAt: new Date().toISOString(),
    };
    this.snapshots.push(shard);
    const about = { deployment: 'orders', backup, startedBy: 'ana', startedAt: shard.cutAt, endedAt: shard.endedAt };
    await this.backups.putManifest(manifestOf(about, [shard]));
    return shard;
  }

  #backups = 0;
  nextBackup(): string {
    return `2026112${++this.#backups}T120000Z-00000000`;
  }

  backupOf(shard: SealedShard): string {
    return shard.object.split('/')[1] ?? '';
  }

  at(shard: SealedShard, offset: number): AsyncGenerator<Buffer, void, void> {
    const { backups, archive, keys } = this;
    return snapshotAt({ backups, archive, keys, backup: this.backupOf(shard), shard, offset, servers: {}, signal });
  }

  resolve(point: PointAsked): Promise<RecoveryPoint> {
    const { backups, archive, keys } = this;
    return resolvePoint(point, { backups, archive, keys, signal });
  }

  /** What the primary has now, and at which offset. */
  async now(): Promise<{ offset: number; content: Map<string, KeyContent> }> {
    await using snapshot = await openSnapshot({ from: this.sandbox.endpoint(), signal });
    return { content: await contentOf(snapshot.chunks()), offset: snapshot.offset };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const node of this.nodes) node.close();
    await this.sandbox.stop();
    vi.unstubAllEnvs();
  }
}

export interface KeyContent {
  expiresAt: number | undefined;
  /** Undefined where two can't be compared. */
  value: string | undefined;
}

/** When a consumer was given an entry, and how many a group has read, each server counts for itself. */
function comparable(part: Elements): Elements | undefined {
  if (part.type !== 'stream' || part.piece === 'entries' || part.piece === 'about') return part;
  if (part.piece === 'consumer') return undefined;
  return { ...part, group: { name: part.group.name, lastId: part.group.lastId } };
}

/** Every key of a snapshot by database and name. */
export async function contentOf(chunks: AsyncIterable<Buffer>): Promise<Map<string, KeyContent>> {
  const reader = new RdbReader({});
  const found = new Map<string, KeyContent>();
  let digest = new ValueDigest();
  for await (const chunk of chunks)
    for (const record of reader.read(chunk)) {
      if (record.kind === 'function')
        found.set(`function ${record.source.toString()}`, { expiresAt: undefined, value: '' });
      if (record.kind !== 'key') continue;
      if (record.first) digest = new ValueDigest();
      const part = comparable(record.part);
      if (part) digest.add(part);
      if (record.last)
        found.set(`${record.database} ${record.key.toString('latin1')}`, {
          expiresAt: record.expiresAt,
          value: digest.value(),
        });
    }
  reader.end();
  return found;
}
