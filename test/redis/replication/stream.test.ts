/** The stream across broken links, failovers and gaps: each command once, none skipped, none again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { at, type Endpoint, type NodeConnection } from '../../../redis/connection.js';
import { checkRdb } from '../../../redis/rdb/check.js';
import { attach } from '../../../redis/replication/client.js';
import type { StreamPoint } from '../../../redis/replication/position.js';
import { replicationStream, type StreamEvent, type StreamOptions } from '../../../redis/replication/stream.js';
import { selfSigned } from '../../../scripts/sandbox/certificate.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { Toxiproxy } from '../../../scripts/sandbox/toxiproxy.js';

/** Has a backlog made, and tells where it begins. */
async function beginning(from: Endpoint): Promise<StreamPoint> {
  await using attachment = await attach({ from });
  await checkRdb(attachment.snapshot?.chunks ?? []);
  const { replid, offset } = attachment.answer;
  return { replid, offset };
}

class Reader {
  readonly seen: string[] = [];
  readonly events: Exclude<StreamEvent, { kind: 'commands' }>[] = [];
  offset = 0;
  readonly done: Promise<void>;
  readonly #controller = new AbortController();

  constructor(options: Omit<StreamOptions, 'signal'>) {
    this.done = this.#read(options).catch((error: unknown) => {
      if (!this.#controller.signal.aborted) throw error;
    });
    this.done.catch(() => undefined);
  }

  async #read(options: Omit<StreamOptions, 'signal'>): Promise<void> {
    for await (const event of replicationStream({ ...options, signal: this.#controller.signal })) {
      if (event.kind !== 'commands') this.events.push(event);
      else
        for (const { args, offset } of event.commands) {
          expect(offset).toBeGreaterThan(this.offset);
          this.offset = offset;
          const text = args.map(String).join(' ');
          if (text.startsWith('INCRBY')) this.seen.push(text);
        }
    }
  }

  kinds = (): string[] => this.events.map(({ kind }) => kind);

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.done;
  }
}

const count = async (node: NodeConnection, from: number, to: number): Promise<void> => {
  for (let n = from; n < to; n++) await node.call('INCRBY', 'counter', n);
};
const expected = (to: number): string[] => Array.from({ length: to }, (_, n) => `INCRBY counter ${n}`);

test.each(['5.0.6', '8.2.3', 'valkey-9.1.2'])('%s: a link that is cut again and again', async (release) => {
  await using sandbox = await Sandbox.servers(1, { release });
  await using toxiproxy = await Toxiproxy.start();
  await using node = await sandbox.connect();
  const proxy = await toxiproxy.proxy('stream', sandbox.endpoint().host + ':' + String(sandbox.endpoint().port));
  const after = await beginning(sandbox.endpoint());
  const reader = new Reader({
    primary: () => Promise.resolve(at(sandbox.endpoint(), proxy.address)),
    after,
    pauseMs: 10,
  });
  for (let turn = 0; turn < 5; turn++) {
    await count(node, turn * 200, turn * 200 + 150);
    await until('linked', () => reader.kinds().at(-1) === 'attached');
    await proxy.cut();
    await count(node, turn * 200 + 150, turn * 200 + 200);
    await until('it has noticed', () => reader.kinds().at(-1) === 'detached');
    await proxy.mend();
  }
  await until('all is read', () => reader.seen.length === 1000);
  expect(reader.seen).toEqual(expected(1000));
  await reader.stop();
});

test.each(['5.0.6', '8.0.6', 'valkey-9.1.2'])(
  '%s: a primary that dies, and a replica of it that goes on',
  async (release) => {
    await using sandbox = await Sandbox.servers(2, { release });
    const [first, second] = sandbox.nodes;
    if (!first || !second) throw new Error('two nodes');
    await using node = await sandbox.connect(first);
    await using other = await sandbox.connect(second);
    await other.call('REPLICAOF', '127.0.0.1', first.port);
    await until('linked', async () =>
      String(await other.call('INFO', 'replication')).includes('master_link_status:up'),
    );
    let primary = first;
    const after = await beginning(sandbox.endpoint());
    const reader = new Reader({ primary: () => Promise.resolve(sandbox.endpoint(primary)), after, pauseMs: 10 });
    await count(node, 0, 300);
    expect(await node.call('WAIT', 1, 5000)).toBeGreaterThan(0);
    await sandbox.kill(first);
    await until('it has noticed', () => reader.kinds().at(-1) === 'detached');
    await other.call('REPLICAOF', 'NO', 'ONE');
    await count(other, 300, 600);
    primary = second;
    await until('all is read', () => reader.seen.length === 600);
    expect(reader.seen).toEqual(expected(600));
    const attached = reader.events.flatMap((it) => (it.kind === 'attached' ? [it.replid] : []));
    expect(attached[0]).toBe(after.replid);
    expect(attached.at(-1)).not.toBe(after.replid);
    await reader.stop();
  },
);

test('what left the backlog meanwhile is a gap, and no snapshot is made for it', async () => {
  await using sandbox = await Sandbox.servers(1, { release: '5.0.6', configuration: ['repl-backlog-size 16kb'] });
  await using node = await sandbox.connect();
  const after = await beginning(sandbox.endpoint());
  const forks = async (): Promise<string | undefined> =>
    /sync_full:(\d+)/.exec(String(await node.call('INFO', 'stats')))?.[1];
  const before = await forks();
  for (let i = 0; i < 40; i++) await node.call('SET', 'key', 'z'.repeat(1000));
  const reader = new Reader({ primary: () => Promise.resolve(sandbox.endpoint()), after });
  await reader.done;
  expect(reader.events).toMatchObject([
    { kind: 'gap', reason: 'backlog', why: expect.stringContaining('too late') as string },
  ]);
  expect(await forks()).toBe(before);
});

test('another history is a gap; one that is still loading its file is waited for', async () => {
  await using sandbox = await Sandbox.servers(1, {
    release: '8.0.6',
    configuration: ['key-load-delay 2000', 'loading-process-events-interval-bytes 1024'],
  });
  const [node] = sandbox.nodes;
  if (!node) throw new Error('a node');
  const after = await beginning(sandbox.endpoint());
  {
    await using connection = await sandbox.connect();
    for (let i = 0; i < 1000; i++) await connection.call('SET', `key:${i}`, i);
    // The save for whoever attached first may still run.
    await until('it is saved', async () => (await connection.call('SAVE')) === 'OK');
  }
  await sandbox.kill(node);
  const reader = new Reader({ primary: () => Promise.resolve(sandbox.endpoint()), after });
  await until('it has noticed', () => reader.kinds().at(-1) === 'detached');
  await sandbox.start(node);
  await reader.done;
  expect(reader.events.at(-1)).toMatchObject({ kind: 'gap' });
  const why = reader.events.flatMap((it) => (it.kind === 'detached' ? [it.why.message] : []));
  expect(why.some((it) => it.includes('loading'))).toBe(true);
});

test('over TLS, as a user who may replicate and read INFO, and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redis-rollout-tls-'));
  try {
    const tls = selfSigned(folder);
    await using sandbox = await Sandbox.servers(1, {
      release: '7.0.15',
      endpoint: { username: 'admin', password: 'pässword', tls: tls.trust },
      configuration: [
        'user admin on >pässword ~* &* +@all',
        'user stream on >other +psync +replconf +info +ping',
        'user default off',
        ...tls.lines,
        'tls-auth-clients no',
      ],
    });
    await using node = await sandbox.connect();
    const endpoint = { ...sandbox.endpoint(), username: 'stream', password: 'other' };
    const reader = new Reader({ primary: () => Promise.resolve(endpoint), after: await beginning(endpoint) });
    await count(node, 0, 100);
    await until('all is read', () => reader.seen.length === 100);
    await reader.stop();
    const wrong = new Reader({
      primary: () => Promise.resolve({ ...endpoint, password: 'x' }),
      after: { replid: '0'.repeat(40), offset: 0 },
    });
    await expect(wrong.done).rejects.toMatchObject({ type: 'Unauthorized' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each([
  ['5.0.6', 'no'],
  ['5.0.6', 'yes'],
  ['8.2.3', 'no'],
  ['8.2.3', 'yes'],
  ['valkey-9.1.2', 'no'],
  ['valkey-9.1.2', 'yes'],
])('%s, repl-diskless-sync %s: the stream begins where the snapshot ends', async (release, diskless) => {
  await using sandbox = await Sandbox.servers(1, { release, configuration: [`repl-diskless-sync ${diskless}`] });
  await using node = await sandbox.connect();
  await node.call('SET', 'large', 'x'.repeat(1 << 20));
  let written = 0;
  const enough = new AbortController();
  const writing = (async () => {
    while (!enough.signal.aborted) await node.call('INCRBY', 'counter', written++);
  })();
  try {
    await using attachment = await attach({ from: sandbox.endpoint() });
    // Valkey sends a snapshot straight to whoever can't take its own format, ours or not.
    if (!release.startsWith('valkey')) expect(attachment.snapshot?.length === undefined).toBe(diskless === 'yes');
    await checkRdb(attachment.snapshot?.chunks ?? []);
    enough.abort();
    await writing;
    await node.call('SET', 'end', '1');
    const seen: string[] = [];
    reading: for await (const commands of attachment.batches())
      for (const text of commands.map(({ args }) => args.map(String).join(' '))) {
        if (text === 'SET end 1') break reading;
        if (text.startsWith('INCRBY')) seen.push(text);
      }
    expect(seen).toEqual(expected(written).slice(written - seen.length));
  } finally {
    enough.abort();
  }
});
