// An assessment that misses what breaks, or cries at what doesn't: nobody would read the next one.
import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AssessmentDocument } from '../../model/assessment/document.js';
import { assessmentWorkflowId, TASK_QUEUE } from '../../model/names.js';
import { parseInfo } from '../../redis/info.js';
import type { NodeConnection } from '../../redis/connection.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';

const SECRET = 'a-secret-nobody-may-read';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ environment: { ROLLOUT_TEST_PASSWORD: SECRET }, quickRetries: true });
});
afterEach(() => stage[Symbol.asyncDispose]());

const start = (input: object) =>
  stage.client.workflow.start('assess', {
    ...{ workflowId: assessmentWorkflowId('orders'), taskQueue: TASK_QUEUE },
    args: [{ deployment: 'orders', to: '8.0', startedBy: 'ana', ...input }],
  });
const found = ({ findings }: AssessmentDocument): string[] =>
  findings.map(({ severity, area, subject }) => `${severity} ${area}: ${subject}`).sort();
const finding = ({ findings }: AssessmentDocument, subject: string) => findings.find((it) => it.subject === subject);

/** Builds a module with one command, `planted.answer`. */
function buildModule(): string {
  const library = join(stage.root, 'planted.so');
  const source = fileURLToPath(new URL('./stage/planted-module.c', import.meta.url));
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, source]);
  return library;
}

/** To whichever primary has the key. */
async function toOwner(
  primaries: readonly NodeConnection[],
  ...command: [string, ...(string | number)[]]
): Promise<unknown> {
  for (const primary of primaries) {
    const reply: unknown = await primary.call(...command).catch((error: unknown) => error);
    if (!(reply instanceof Error)) return reply;
    if (!reply.message.startsWith('MOVED')) throw reply;
  }
  throw new Error(`nobody has ${command[1] ?? ''}`);
}

/** What an assessment must not change, by node. */
const state = async (cluster: Sandbox): Promise<unknown[]> =>
  Promise.all(
    cluster.nodes.map(async ({ address }) => {
      const info = parseInfo(String(await cluster.ask(address, 'INFO')));
      const keys = /^keys=\d+/.exec(info['db0'] ?? '')?.[0];
      return [address, info['role'], info['run_id'], info['master_replid'], keys, info['connected_slaves']];
    }),
  );

/** Neither in what is kept on the worker, nor in Temporal. */
async function expectNoSecret(folder: string, history: Promise<unknown>): Promise<void> {
  const files = (await readdir(folder, { recursive: true })).filter((it) => /\.(json|md|html)$/.test(it));
  expect(files.length).toBeGreaterThan(3);
  for (const file of files) expect(await readFile(join(folder, file), 'utf8'), file).not.toContain(SECRET);
  const bytes = function (this: Record<string, unknown>, key: string, value: unknown): unknown {
    const raw = this[key];
    return raw instanceof Uint8Array ? Buffer.from(raw).toString() : value;
  };
  expect(JSON.stringify(await history, bytes)).not.toContain(SECRET);
}

test('each planted problem is found and nothing else, and a worker that dies between two looks costs nothing', async () => {
  await using cluster = await Sandbox.cluster({
    release: '6.2.14',
    endpoint: { password: SECRET },
    configuration: [
      ...[`requirepass ${SECRET}`, `masterauth ${SECRET}`, `loadmodule "${buildModule()}"`],
      ...['hash-max-ziplist-entries 1024', 'io-threads-do-reads yes'],
    ],
  });
  await stage.deploy('orders', cluster, {
    credentials: { password: 'env:ROLLOUT_TEST_PASSWORD' },
    policy: { fallback: 'standby' },
  });
  const primaries = await Promise.all(cluster.nodes.slice(0, 3).map((node) => cluster.connect(node)));
  const [first] = primaries;
  for (const primary of primaries) await primary.call('CLIENT', 'SETNAME', 'checkout-7');
  await first?.call('STRALGO', 'LCS', 'STRINGS', 'ohmytext', 'mynewtext');
  await first?.call('planted.answer');
  await toOwner(primaries, 'SETRANGE', 'catalogue', 20 * 1024 ** 2, 'x');
  for (let i = 0; i < 300; i++) await toOwner(primaries, 'SET', `cart:${i}:items`, `value-${i}`, 'EX', 3600);
  const before = await state(cluster);
  const scripts = {
    'print.lua': "print('found', KEYS[1]) return redis.call('GET', KEYS[1])",
    'fine.lua': "-- print was here\nlocal print = redis.call return print('GET', KEYS[1]) .. ' print'",
  };
  stage.keepWorker();
  const handle = await start({
    ...{ scripts, libraries: { 'checkout-#': 'go-redis@8.11.4' }, price: { amount: 0.01, currency: 'EUR' } },
    over: '4s',
  });
  const looks = join(stage.state, 'orders', handle.firstExecutionRunId, 'looks');
  await until('the first look is taken', async () =>
    (await readdir(looks).catch(() => [] as string[])).includes('look-0001.json'),
  );
  process.kill(stage.workerPid, 'SIGKILL');
  await first?.call('STRALGO', 'LCS', 'STRINGS', 'once', 'more');

  const document = (await handle.result()) as AssessmentDocument;

  expect(found(document)).toEqual([
    'action configuration: io-threads-do-reads',
    'blocker clients: go-redis-cluster-slots',
    'blocker commands: stralgo',
    'blocker modules: planted',
    'blocker scripts: print.lua',
    'note configuration: hash-max-ziplist-entries',
    'note data: big keys',
  ]);
  expect(finding(document, 'stralgo')?.text).toContain('2 calls since the servers started, 1 while it was observed');
  expect(finding(document, 'stralgo')?.concerns).toEqual(['checkout-#']);
  expect(finding(document, 'planted')?.text).toContain('PLANTED.ANSWER');
  expect(finding(document, 'planted')?.concerns).toHaveLength(6);
  expect(finding(document, 'print.lua')?.text).toContain('uses print');
  expect(finding(document, 'hash-max-ziplist-entries')?.text).toContain('hash-max-listpack-entries');
  expect(finding(document, 'go-redis-cluster-slots')?.concerns).toEqual(['checkout-# (go-redis 8.11.4)']);
  expect(finding(document, 'big keys')?.concerns[0]).toMatch(/^shard-\d: catalogue \(string, 2\d\.\d MB\)$/);
  expect(document.observed.looks).toBe(2);
  expect(document.keys.looked).toBe(301);
  expect(document.keys.patterns.find(({ pattern }) => pattern === 'cart:#:items')?.keys).toBe(300);
  expect(document.applications.map(({ name }) => name)).toContain('checkout-#');
  expect(document.phases.map(({ name }) => name)).toEqual(['backup', 'standbys', 'canary', 'shards', 'soak']);
  expect(document.fallback?.class).toBe('lossless');
  expect(document.cost?.amount).toBeGreaterThan(0);
  // A connection of the worker's own that is just being closed has no library either.
  expect(document.unseen.map(({ what }) => what).filter((it) => it !== 'client libraries')).toEqual(['hot keys']);
  expect(await state(cluster)).toEqual(before);
  const folder = join(looks, '..');
  const page = await readFile(join(folder, 'assessment.html'), 'utf8');
  expect(page).toContain('STRALGO');
  expect(await readFile(join(folder, 'assessment.md'), 'utf8')).toContain('| blocker | commands: stralgo |');
  await expectNoSecret(folder, handle.fetchHistory());
  for (const primary of primaries) primary.close();
});

test('what the user may not see is listed, nothing is assumed of it, and no secret is told', async () => {
  await using cluster = await Sandbox.cluster({
    release: '6.2.14',
    configuration: [
      'hash-max-ziplist-entries 1024',
      'io-threads-do-reads yes',
      `user looker on >${SECRET} ~* &* +@all -config -command -client -acl -memory -module`,
    ],
  });
  await stage.deploy('orders', cluster, {
    credentials: { username: 'looker', password: 'env:ROLLOUT_TEST_PASSWORD' },
  });

  const handle = await start({ monitor: '1s' });
  const document = (await handle.result()) as AssessmentDocument;

  const unseen = document.unseen.filter(({ nodes }) => nodes.length > 0);
  const counted = unseen.map(({ what, nodes }) => `${what}: ${nodes.length}`);
  for (const it of ['CONFIG GET *: 6', 'COMMAND: 1', 'CLIENT LIST: 6', 'ACL LIST: 6', 'MODULE LIST: 6'])
    expect(counted).toContain(it);
  for (const { why } of unseen) expect(why).toBe('the user may not (NOPERM)');
  expect(found(document)).toEqual(['action rights: rights']);
  expect(finding(document, 'rights')?.concerns).toEqual(expect.arrayContaining(['CONFIG GET', 'CLIENT LIST']));
  expect(document.capacity.projections).toEqual([]);
  await expectNoSecret(join(stage.state, 'orders', handle.firstExecutionRunId), handle.fetchHistory());
});
