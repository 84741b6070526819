import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientName, RunShard } from './entry.js';
import { generationOf } from './entry.js';

/**
 * One record is 16 bytes: the write's number (6), what a counter answered (4), and when it was acknowledged, ms since the
 * run began (6). A file that ends within a record was cut off by a kill; the rest of that record is not claimed.
 */
const RECORD = 16;

export interface LedgerRecord {
  seq: number;
  /** What INCR answered; 0 for every other type. */
  value: number;
  /** Unix ms. */
  at: number;
}

/** `run.json`: written before the first operation. */
export interface RunFile {
  run: string;
  prefix: string;
  /** Unix ms. */
  startedAt: number;
  rate: number;
  shards: { name: string; tags: string[] }[];
  notes: string[];
}

/** A generation that was read back and removed while the probe ran. */
export interface RetiredGeneration {
  shard: string;
  client: ClientName;
  generation: number;
  byType: Record<string, number>;
}

const fileName = (client: ClientName, generation: number): string => `${client}-${generation}.ledger`;

/** The acknowledged writes of one run: one small append-only file for each generation of each shard and client. */
export class Ledger {
  #buffers = new Map<string, Buffer[]>();

  constructor(
    readonly folder: string,
    private readonly startedAt: number,
    shards: readonly string[],
  ) {
    for (const shard of shards) mkdirSync(join(folder, shard), { recursive: true });
  }

  /** Must come before the generation's first write is sent: a file says which keys may exist, acknowledged or not. */
  open(shard: string, client: ClientName, generation: number): void {
    writeFileSync(join(this.folder, shard, fileName(client, generation)), '', { flag: 'a' });
  }

  append(shard: string, client: ClientName, { seq, value, at }: LedgerRecord): void {
    const record = Buffer.alloc(RECORD);
    record.writeUIntBE(seq, 0, 6);
    record.writeUInt32BE(value, 6);
    record.writeUIntBE(Math.max(0, Math.round(at - this.startedAt)), 10, 6);
    const path = join(this.folder, shard, fileName(client, generationOf(seq)));
    const buffer = this.#buffers.get(path);
    if (buffer) buffer.push(record);
    else this.#buffers.set(path, [record]);
  }

  /** Synchronous: small appends to the page cache, which outlive the process however it ends. */
  flush(): void {
    const buffers = this.#buffers;
    this.#buffers = new Map();
    for (const [path, records] of buffers) appendFileSync(path, Buffer.concat(records));
  }

  retire(retired: RetiredGeneration): void {
    appendFileSync(join(this.folder, 'retired.jsonl'), JSON.stringify(retired) + '\n');
  }

  forget(shard: string, client: ClientName, generation: number): void {
    rmSync(join(this.folder, shard, fileName(client, generation)), { force: true });
  }
}

export interface LedgerFile extends RunShard {
  client: ClientName;
  generation: number;
  path: string;
  retired: boolean;
  startedAt: number;
}

/** Folders of the runs that wrote into `folder`, oldest first. */
export const runFolders = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((entry) => /^run-\d+$/.test(entry) && existsSync(join(folder, entry, 'run.json')))
        .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)))
        .map((entry) => join(folder, entry))
    : [];

export const readRun = (folder: string): RunFile =>
  JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunFile;

export function readRetired(folder: string): RetiredGeneration[] {
  const path = join(folder, 'retired.jsonl');
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  // What follows the last line's end was cut off by a kill: that generation is still there.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as RetiredGeneration);
}

/** Every file of a run; a retired one is there when the probe was killed between saying so and removing it. */
export function ledgerFiles(folder: string): LedgerFile[] {
  const { run, prefix, shards, startedAt } = readRun(folder);
  const retired = new Set(readRetired(folder).map((r) => `${r.shard}/${fileName(r.client, r.generation)}`));
  return shards.flatMap(({ name, tags }) =>
    (existsSync(join(folder, name)) ? readdirSync(join(folder, name)) : []).flatMap((file): LedgerFile[] => {
      const parts = /^(ioredis|raw)-(\d+)\.ledger$/.exec(file);
      if (!parts) return [];
      const [client, generation] = [parts[1] as ClientName, Number(parts[2])];
      const path = join(folder, name, file);
      const isRetired = retired.has(`${name}/${file}`);
      return [{ run, prefix, shard: name, tags, client, generation, path, retired: isRetired, startedAt }];
    }),
  );
}

export function readLedgerFile({ path, startedAt }: Pick<LedgerFile, 'path' | 'startedAt'>): LedgerRecord[] {
  const bytes = readFileSync(path);
  return Array.from({ length: Math.floor(bytes.length / RECORD) }, (_, i) => ({
    seq: bytes.readUIntBE(i * RECORD, 6),
    value: bytes.readUInt32BE(i * RECORD + 6),
    at: startedAt + bytes.readUIntBE(i * RECORD + 10, 6),
  }));
}
