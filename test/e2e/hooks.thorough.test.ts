// The pager that goes off in the middle of the upgrade, because nobody muted the alert; or was muted for good.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { expectCompleted } from './stage/evidence.js';

test('commands and calls are done at their points, though the worker dies in them, each under one key', async () => {
  const secret = 'a secret that only both of us know';
  await using stage = await Stage.open({ quickRetries: true, environment: { HOOK_SECRET: secret } });
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const calls: { key: string; point: string; release: string | undefined; result?: string }[] = [];
  const [, replica] = cluster.nodes;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      const call = JSON.parse(body) as { key: string; point: string; node?: string; result?: string };
      const node = cluster.nodes.find(({ address }) => address === (call.node ?? replica?.address));
      const told = String(request.headers['idempotency-key']);
      void cluster.ask(node?.address ?? '', 'INFO', 'server').then((info) => {
        const release = /redis_version:(\S+)/.exec(String(info))?.[1];
        calls.push({ ...call, key: told, release });
        response.end('noted');
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const file = join(stage.root, 'hooks.log');
  const log = `echo "$ROLLOUT_POINT $ROLLOUT_NODE $ROLLOUT_KEY" >> ${file}; env | grep -c HOOK_SECRET; true`;
  await stage.deploy('orders', cluster, {
    policy: { canarySoak: '0s', soak: '0s' },
    hooks: [
      { name: 'mute', at: ['before node'], command: ['sh', '-c', log] },
      { name: 'ticket', at: ['before node', 'after node', 'ended'], http: { url, secret: 'env:HOOK_SECRET' } },
    ],
  });
  stage.keepWorker();
  await stage.faults.draw(
    { activity: 'runHook', when: 'after', kind: 'kill' },
    { activity: 'runHook', when: 'before', kind: 'kill' },
  );
  const operation = await stage.start('orders', '8.0');
  const outcome = await operation.result();
  server.close();
  expectCompleted(outcome);
  expect(await stage.faults.unfired()).toEqual([]);

  // Twice where nobody heard of the first, and then with the same key: whoever looks at it does it once.
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  const nodes = new Set(cluster.nodes.map(({ address }) => address));
  expect(new Set(lines.map((line) => line.split(' ')[2]))).toEqual(nodes);
  expect(lines.length).toBe(3);
  expect(new Set(lines).size).toBe(2);
  const of = (point: string) => calls.filter((it) => it.point === point).map(({ release }) => release);
  expect(of('before node')).toEqual(['7.0.15', '7.0.15']);
  expect(of('after node')).toEqual(['8.0.6', '8.0.6']);
  expect(calls.at(-1)).toMatchObject({ point: 'ended', result: 'completed' });
  const { timeline } = await operation.read();
  const told = timeline
    .filter(({ kind }) => kind === 'hook')
    .map(({ text }) => text.replace(/after [^:]*:/, 'after …:'));
  expect(told.filter((text) => text === 'ticket ended: passed after …: noted')).toHaveLength(1);
  // The worker's secrets are not in a command's environment, nor on record.
  expect(told.filter((text) => text.startsWith('mute'))).toEqual(
    Array.from({ length: 2 }, () => 'mute before node: passed after …: 0'),
  );
  expect(JSON.stringify(timeline)).not.toContain(secret);
}, 600_000);
