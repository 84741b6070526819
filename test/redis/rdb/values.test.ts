/** A value read wrongly: an element lost, doubled or garbled, in any encoding of any release. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findServers } from '../../../platforms/process/servers.js';
import type { NodeConnection } from '../../../redis/connection.js';
import { readDump } from '../../../redis/rdb/dump.js';
import { readEntries } from '../../../redis/rdb/entries.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { oddValues } from './odd-values.js';
import { add, fingerprint, reassembled, type Whole } from './reassembled.js';
import { agreesWithServer } from './server-says.js';
import { thorough } from '../../thorough.js';

const releases = [...(await findServers()).keys()];

/** Thresholds of the compact encodings: whatever names the release knows. */
const encodings: Record<string, Record<string, string>> = {
  'as configured by default': {},
  'as compact as can be': {
    'hash-max-ziplist-entries': '100000',
    'hash-max-ziplist-value': '1000000',
    'zset-max-ziplist-entries': '100000',
    'zset-max-ziplist-value': '1000000',
    'set-max-listpack-entries': '100000',
    'set-max-listpack-value': '1000000',
    'set-max-intset-entries': '100000',
    'list-max-ziplist-size': '-5',
    'stream-node-max-entries': '0',
    'stream-node-max-bytes': '0',
  },
  'with nothing compact': {
    'hash-max-ziplist-entries': '0',
    'zset-max-ziplist-entries': '0',
    'set-max-listpack-entries': '0',
    'set-max-intset-entries': '0',
    'list-max-ziplist-size': '1',
    'stream-node-max-entries': '2',
    rdbcompression: 'no',
  },
};

async function configure(node: NodeConnection, settings: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    // Older releases don't know the encodings of newer ones.
    await node.call('CONFIG', 'SET', name, value).catch(() => undefined);
}

/** Those that write a form for the first time are tried with every encoding, in a thorough run. */
const firsts = ['5.0.6', '7.0.15', '7.4.1', '8.2.3', 'valkey-9.1.2'];
const cases = releases.flatMap((release) =>
  Object.keys(encodings)
    .slice(0, thorough && firsts.includes(release) ? undefined : 1)
    .map((how) => [release, how] as const),
);

test.each(cases)('%s, %s: a file and each DUMP say what the server says', async (release, how) => {
  await using sandbox = await Sandbox.servers(1, { release });
  await using node = await sandbox.connect(undefined, { timeoutMs: 30_000 });
  await configure(node, encodings[how] ?? {});
  await send(sandbox.endpoint(), oddValues(release));
  await node.call('SAVE');
  const file = await readFile(join(sandbox.nodes[0]?.home ?? '', 'dump.rdb'));

  const found = await readWhole(file, 64 * 1024);
  expect(found.functions).toBe(await librariesOf(node));
  expect(found.values.size).toBe(await node.call('DBSIZE'));
  for (const [name, { whole, expiresAt }] of found.values) {
    // Two thousand alike: a few of them say enough.
    if (/^key:\d{3}/.test(name)) continue;
    const key = Buffer.from(name, 'latin1');
    await agreesWithServer(node, key, whole);
    const left = Number(await node.call('PTTL', key));
    if (left < 0) expect(expiresAt).toBe(undefined);
    else expect(Math.abs(Number(expiresAt) - Date.now() - left), name).toBeLessThan(60_000);
    const dump = (await node.callBuffer('DUMP', key)) as Buffer;
    expect(fingerprint(reassembled(readDump(dump))), name).toBe(fingerprint(whole));
  }
  // How a file is cut matters to no encoding: one of each release is enough for the slowest.
  for (const size of how === 'as configured by default' ? [61, file.length] : [5000])
    expect(fingerprint(await readWhole(file, size)), `in pieces of ${size}`).toBe(fingerprint(found));
});

async function readWhole(file: Buffer, size: number) {
  const values = new Map<string, { whole: Whole; expiresAt: number | undefined }>();
  let functions = 0;
  const aux: Record<string, string> = {};
  for await (const record of readEntries(pieces(file, size))) {
    if (record.kind === 'function') functions++;
    else if (record.kind === 'aux') aux[record.name] = record.value;
    else {
      const name = record.key.toString('latin1');
      const before = values.get(name);
      expect(record.first, name).toBe(before === undefined);
      if (before) add(before.whole, record.part);
      else values.set(name, { whole: reassembled([record.part]), expiresAt: record.expiresAt });
    }
  }
  return { values, functions, aux };
}

async function librariesOf(node: NodeConnection): Promise<number> {
  return node.call('FUNCTION', 'LIST').then(
    (list) => (list as unknown[]).length,
    () => 0,
  );
}

function* pieces(file: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}
