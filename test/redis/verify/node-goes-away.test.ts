import events from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { RolloutError } from '../../../model/failures.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Pipe } from '../../../redis/verify/pipe.js';
import { verifyReplica } from '../../../redis/verify/verify-replica.js';
import { Pair } from './pair.js';
import type { VerifyProgress } from '../../../redis/verify/progress.js';

const failure = (work: Promise<unknown>): Promise<RolloutError> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as RolloutError,
  );

const load = (pair: Pair, keys = 60_000): Promise<void> =>
  pair.write(Array.from({ length: keys }, (_, i) => ['SET', `key:${i}`, `value ${i}`]));

/** Runs `act` once, when the comparison has got somewhere. */
function once(act: (progress: VerifyProgress) => void): (progress: VerifyProgress) => void {
  const state = { done: false };
  return (progress) => {
    if (state.done || progress.keys === 0) return;
    state.done = true;
    act(progress);
  };
}

test('a replica that is killed ends the comparison with what happened', async () => {
  await using pair = await Pair.start('8.0.6', '8.0.6');
  await load(pair);
  const error = await failure(pair.verify({ onProgress: once(() => void pair.sandboxes[1].stop()) }));
  expect(error).toMatchObject({ name: 'RolloutError', type: 'Unreachable' });
  expect(error.message).toContain(`127.0.0.1:${pair.endpoints.replica.port} went away`);
});

test('a primary that is stopped in its tracks is told from a slow one', async () => {
  await using pair = await Pair.start('8.0.6', '8.0.6');
  await load(pair);
  const pid = Number(/process_id:(\d+)/.exec(String(await pair.primary.call('INFO', 'server')))?.[1]);
  const error = await failure(
    pair.verify({ timeoutMs: 1000, onProgress: once(() => process.kill(pid, 'SIGSTOP')) }),
  ).finally(() => process.kill(pid, 'SIGCONT'));
  expect(error).toMatchObject({ type: 'NodeHung' });
  expect(error.message).toContain(String(pair.endpoints.primary.port));
});

test('what answers something else than a server ends the comparison, and not the worker', async () => {
  const other = createServer((socket) => socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')));
  other.listen(0, '127.0.0.1');
  await events.once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    using pipe = await Pipe.open({ host: '127.0.0.1', port }, { readonly: false, noTouch: false, timeoutMs: 5000 });
    const error = await failure(pipe.ask('PING'));
    expect(error).toMatchObject({ type: 'Unreachable' });
    expect(error.message).toContain('expected a RESP2 reply');
  } finally {
    other.close();
  }
});

test('an aborted comparison ends at once with the reason', async () => {
  await using pair = await Pair.start('8.0.6', '8.0.6');
  await load(pair);
  const abort = new AbortController();
  const verification = pair.verify({
    signal: abort.signal,
    onProgress: once(() => abort.abort(new Error('the lease was lost'))),
  });
  await expect(verification).rejects.toThrow('the lease was lost');
});

test('a node that replicates nobody, or somebody else, is not compared', async () => {
  await using servers = await Sandbox.servers(2, { release: '8.0' });
  const [a, b] = servers.nodes.map((node) => servers.endpoint(node));
  if (!a || !b) throw new Error('two nodes expected');
  const input = { shard: 's', mode: 'all', ttlToleranceMs: 1000, catchUpTimeoutMs: 200 } as const;
  const stranger = await failure(verifyReplica({ ...input, primary: a, replica: b }));
  expect(stranger).toMatchObject({ type: 'NotCaughtUp' });
  expect(stranger.message).toMatch(/role master, link none/);
});

test('a primary that has become a replica is not taken for one', async () => {
  await using pair = await Pair.start('8.0.6', '8.0.6');
  const { primary, replica } = pair.endpoints;
  const error = await failure(pair.verify({ primary: replica, replica: primary }));
  expect(error).toMatchObject({ type: 'NotCaughtUp' });
  expect(error.message).toContain(`is a replica of 127.0.0.1:${primary.port}`);
});

test('wrong credentials and missing permissions are named', async () => {
  await using pair = await Pair.start('8.0.6', '8.0.6');
  await load(pair, 10);
  const { primary } = pair.endpoints;
  await pair.primary.call(
    'ACL',
    'SETUSER',
    'auditor',
    'on',
    '>secret',
    '~*',
    '+ping',
    '+info',
    '+scan',
    '+auth',
    '+time',
  );
  const as = (password: string) => ({ primary: { ...primary, username: 'auditor', password } });
  expect(await failure(pair.verify(as('guess')))).toMatchObject({ type: 'Unauthorized' });
  const refused = await failure(pair.verify(as('secret')));
  expect(refused).toMatchObject({ type: 'MissingPermission' });
  expect(refused.message).toMatch(/refused TYPE/);
});

test('after a worker’s death the comparison goes on where it stood; after a server’s, from the start', async () => {
  await using pair = await Pair.start('5.0.6', '8.0.6');
  await load(pair);
  await pair.tamper([
    ['SET', 'key:5', 'lost'],
    ['SET', 'extra', 1],
  ]);
  const abort = new AbortController();
  const kept: VerifyProgress[] = [];
  const first = pair.verify({
    signal: abort.signal,
    onProgress: (progress) => {
      if (progress.keys === 0) return;
      kept.push(JSON.parse(JSON.stringify(progress)) as VerifyProgress);
      abort.abort(new Error('worker died'));
    },
  });
  await expect(first).rejects.toThrow('worker died');
  const [progress] = kept;
  if (!progress) throw new Error('no progress');
  expect(progress.keys).toBeGreaterThan(0);
  const seen: VerifyProgress[] = [];
  const resumed = await pair.verify({ resumeFrom: progress, onProgress: (p) => seen.push(p) });
  expect(seen[0]?.keys).toBeGreaterThanOrEqual(progress.keys);
  expect(resumed).toMatchObject({ different: 2, keys: 60_000 });
  expect(resumed.durationMs).toBeGreaterThanOrEqual(progress.elapsedMs);

  const stale = { ...progress, keys: 1_000_000, runIds: ['another', progress.runIds[1]] as [string, string] };
  expect(await pair.verify({ resumeFrom: stale })).toMatchObject({ different: 2, keys: 60_000 });
});
