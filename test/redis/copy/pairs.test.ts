/** What a newer server has, on an older one: every type, whole or key by key, and nothing lost without a word. */
import { expect, test } from 'vitest';
import { copyAll } from '../../../redis/copy/copy-all.js';
import { copyKey } from '../../../redis/copy/copy-key.js';
import { attach } from '../../../redis/replication/client.js';
import { Pipe } from '../../../redis/verify/pipe.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { fieldsExpire, oddValues } from '../rdb/odd-values.js';
import { send } from '../verify/pair.js';
import { applyTo, differences, type Place, sameStreams } from './copied.js';
import { usually } from '../../thorough.js';

const pairs = [
  ['8.2.3', '5.0.6'],
  ['8.2.3', '6.2.14'],
  ['8.0.6', '7.0.15'],
  ['valkey-9.1.2', '7.2.4'],
  ['7.0.15', '5.0.6'],
  ['7.4.1', '6.0.16'],
  ['6.2.14', '6.0.16'],
  ['8.2.3', '7.4.1'],
  ['valkey-9.1.2', 'valkey-8.1.1'],
] as const;

test.each(usually(4, pairs))('%s to %s: a snapshot, and each key by itself', async (from, to) => {
  await using a = await Sandbox.servers(1, { release: from });
  await using b = await Sandbox.servers(1, { release: to });
  await using node = await a.connect(undefined, { timeoutMs: 60_000 });
  await using older = await b.connect(undefined, { timeoutMs: 60_000 });
  await send(a.endpoint(), oddValues(from));
  const modules = await node.call('VADD', 'module:vectors', 'VALUES', 2, 1, 2, 'x').then(
    () => 1,
    () => 0,
  );
  const places: [Place, Place] = [
    { endpoint: a.endpoint(), node, release: from },
    { endpoint: b.endpoint(), node: older, release: to },
  ];
  const expectedDifferences = modules ? ['module:vectors'] : [];
  using pipe = await Pipe.open(b.endpoint(), { readonly: false, noTouch: false, timeoutMs: 60_000 });
  const options = { target: to, marginMs: 0 };

  {
    const release = from.startsWith('valkey-') ? { release: from.slice(7) } : {};
    await using attachment = await attach({ from: a.endpoint(), snapshotOnly: true, ...release });
    const result = await copyAll({
      ...options,
      chunks: attachment.snapshot?.chunks ?? [],
      apply: (commands) => applyTo(pipe, commands),
    });
    expect(result.keys).toBe(await node.call('DBSIZE'));
    const fields = fieldsExpire(from) && !fieldsExpire(to) ? 2 : undefined;
    const functions = /^[56]/.test(to) && !from.startsWith('6') ? 1 : undefined;
    expect(result.unrepresentable['field expiries']?.count).toBe(fields);
    expect(result.unrepresentable['functions']?.count).toBe(functions);
    expect(result.unrepresentable['module type vectorset']?.count).toBe(modules || undefined);
    expect(result.summary.checksum).toBe('verified');
  }
  expect(await differences(...places, 50)).toEqual(expectedDifferences);
  expect(await sameStreams(...places)).toBeGreaterThan(6);

  // What is there already is replaced: every key has another type now.
  const keys = (await node.callBuffer('KEYS', '*')) as Buffer[];
  await applyTo(
    pipe,
    keys.flatMap((key) => [
      [Buffer.from('DEL'), key],
      [Buffer.from('RPUSH'), key, key],
    ]),
  );
  const wanting: string[] = [];
  for (const key of keys) {
    const copied = await copyKey({ ...options, primary: node, key });
    await applyTo(pipe, copied.commands);
    if (copied.unrepresentable !== undefined) wanting.push(copied.unrepresentable);
  }
  expect(await differences(...places, 50)).toEqual(expectedDifferences);
  await sameStreams(...places);
  const modulesWanting = modules ? ['module type vectorset'] : [];
  expect(wanting.sort()).toEqual([
    ...(fieldsExpire(from) && !fieldsExpire(to) ? ['field expiries', 'field expiries'] : []),
    ...modulesWanting,
  ]);
});
