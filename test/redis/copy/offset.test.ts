/** A copy that is said to be of another moment than it is: what came before would be lost, or done twice. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findServers } from '../../../platforms/process/servers.js';
import type { NodeConnection } from '../../../redis/connection.js';
import { type CopiedKey, copyKey } from '../../../redis/copy/copy-key.js';
import { checkRdb } from '../../../redis/rdb/check.js';
import { type Attachment, attach } from '../../../redis/replication/client.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

const releases = [...(await findServers()).keys()];

interface Propagated {
  offset: number;
  name: string;
  args: string[];
}

const writes = [
  ['INCR', 'counter'],
  ['RPUSH', 'list', 'x'],
  ['MULTI'],
  ['INCR', 'together'],
  ['RPUSH', 'list', 'y'],
  ['INCR', 'together'],
  ['EXEC'],
  ['SET', 'short', 'v', 'PX', 1],
] as const;

/** Writes until it is told to stop, several in one go. */
async function write(node: NodeConnection, going: () => boolean): Promise<void> {
  for (let i = 0; going(); i++)
    await node.pipeline(writes.map((command) => command.map((it) => (it === 'v' ? `v${i}` : it))));
}

async function readTo(attachment: Attachment, last: string): Promise<Propagated[]> {
  const seen: Propagated[] = [];
  for await (const batch of attachment.batches())
    for (const { args, offset } of batch) {
      const [name = '', ...rest] = args.map(String);
      if (rest[0] === last) return seen;
      seen.push({ offset, name: name.toUpperCase(), args: rest });
    }
  throw new Error(`the stream ended before ${last}`);
}

test.each(releases)('%s: a copy has what came up to its offset, and nothing later', async (release) => {
  await using sandbox = await Sandbox.servers(1, { release });
  await using node = await sandbox.connect(undefined, { timeoutMs: 30_000 });
  await using writer = await sandbox.connect(undefined, { timeoutMs: 30_000 });
  await using other = await sandbox.connect(undefined, { timeoutMs: 30_000 });
  await using attachment = await attach({ from: sandbox.endpoint() });
  await checkRdb(attachment.snapshot?.chunks ?? []);
  const stream = readTo(attachment, 'the end');

  let going = true;
  const writing = [write(writer, () => going), write(other, () => going)];
  const copies: { key: string; copied: CopiedKey }[] = [];
  try {
    for (let i = 0; i < 75; i++)
      for (const key of ['counter', 'list', 'together', 'short'])
        copies.push({
          key,
          copied: await copyKey({ primary: node, key: Buffer.from(key), target: '5.0.6', marginMs: 0 }),
        });
  } finally {
    going = false;
    await Promise.all(writing);
  }
  // Expired meanwhile now and then, and this time for certain.
  await node.call('SET', 'short', 'last', 'PX', 1);
  await sleep(20);
  const expired = await copyKey({ primary: node, key: Buffer.from('short'), target: '5.0.6', marginMs: 0 });
  expect(expired.commands).toHaveLength(1);
  copies.push({ key: 'short', copied: expired });
  await node.call('SET', 'the end', '');
  const seen = await stream;

  const whole = boundaries(seen, attachment.answer.offset);
  for (const { key, copied } of copies) {
    expect(copied.replid).toBe(attachment.answer.replid);
    expect(whole.has(copied.offset), `${copied.offset} is within a command or transaction`).toBe(true);
    const before = seen.filter(({ offset, args }) => offset <= copied.offset && args[0] === key);
    if (key === 'short') expectShort(copied, before, seen);
    else expect(sizeOf(copied), `${key} at ${copied.offset}`).toBe(before.length);
  }
  expect(new Set(copies.map(({ copied }) => copied.offset)).size).toBeGreaterThan(20);
});

/**
 * Offsets at which a reader of the stream may stop: between commands, and not within a transaction unless only its EXEC
 * is left. Up to 6.2 servers propagate the MULTI and EXEC of the copy itself, and the offset is between them.
 */
function boundaries(seen: readonly Propagated[], start: number): Set<number> {
  const found = new Set([start]);
  let within = false;
  let before = start;
  for (const { name, offset } of seen) {
    if (name === 'MULTI') within = true;
    else if (name === 'EXEC') {
      within = false;
      found.add(before);
    }
    if (!within) found.add(offset);
    before = offset;
  }
  return found;
}

/** What the copied counter shows, or how many elements the copied list has. */
function sizeOf({ commands }: CopiedKey): number {
  const [deletion, ...values] = commands;
  expect(String(deletion?.[0])).toBe('UNLINK');
  if (values.every(([name]) => String(name) === 'RPUSH'))
    return values.reduce((sum, command) => sum + command.length - 2, 0);
  expect(values.map(([name]) => String(name))).toEqual(['SET']);
  return Number(String(values[0]?.[2]));
}

/** The last value before the offset; where it had expired, its deletion is in the stream before the next value. */
function expectShort({ commands, offset }: CopiedKey, before: Propagated[], seen: readonly Propagated[]): void {
  const last = before.at(-1);
  const [, set, expiry] = commands;
  if (set) {
    expect([last?.name, last?.args[1]]).toEqual(['SET', String(set[2])]);
    expect(String(expiry?.[0])).toBe('PEXPIREAT');
    return;
  }
  if (last?.name !== 'SET') return;
  const next = seen.find((it) => it.offset > offset && it.args[0] === 'short');
  expect(['DEL', 'UNLINK']).toContain(next?.name ?? 'DEL');
}

/** Its dump takes some 100 ms, and up to 5.0 a server's clock goes on meanwhile. */
test.each(['5.0.6', '8.2.3'])(
  '%s: a key that expires while it is copied is not left there for ever',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    await using node = await sandbox.connect(undefined, { timeoutMs: 30_000 });
    const copy = () => copyKey({ primary: node, key: Buffer.from('key'), target: '5.0.6', marginMs: 0 });
    await copy();
    for (const ms of [2, 5, 10, 20, 40]) {
      await node.pipeline([
        ['SET', 'key', 'v'],
        ['SETRANGE', 'key', 50_000_000, 'end'],
      ]);
      await node.call('PEXPIRE', 'key', ms);
      const [first, ...others] = (await copy()).commands.map(([name]) => String(name));
      expect(first).toBe('UNLINK');
      if (others.length > 0) expect(others.at(-1)).toBe('PEXPIREAT');
    }
  },
);

test('an expiry is absolute, later by the margin, and the value stays the same value', async () => {
  for (const release of ['6.2.14', '8.2.3']) {
    await using sandbox = await Sandbox.servers(1, { release });
    await using node = await sandbox.connect();
    const at = Date.now() + 500_000;
    await node.call('SET', 'key', 'value');
    await node.call('PEXPIREAT', 'key', at);
    const { commands } = await copyKey({
      primary: node,
      key: Buffer.from('key'),
      target: '5.0.6',
      marginMs: 3_600_000,
    });
    expect(commands.slice(0, 2).map((command) => command.map(String))).toEqual([
      ['UNLINK', 'key'],
      ['SET', 'key', 'value'],
    ]);
    expect(commands[2]?.map(String).slice(0, 2)).toEqual(['PEXPIREAT', 'key']);
    // Before 7.0 it is what is left, counted from the node's clock.
    expect(Math.abs(Number(String(commands[2]?.[2])) - at - 3_600_000)).toBeLessThanOrEqual(
      release === '8.2.3' ? 0 : 5,
    );
  }
});

test('what the server refuses is thrown as it said it', async () => {
  await using sandbox = await Sandbox.servers(1, { release: '8.2.3' });
  await using node = await sandbox.connect();
  await node.call('ACL', 'SETUSER', 'default', '-dump');
  await expect(copyKey({ primary: node, key: Buffer.from('key'), target: '5.0.6', marginMs: 0 })).rejects.toThrow(
    /NOPERM.*dump/i,
  );
});
