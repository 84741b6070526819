/** Our own replica of a real server: what it receives, and what it says when it can't. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { findServers } from '../../../platforms/process/servers.js';
import { checkRdb } from '../../../redis/rdb/check.js';
import { attach, type Attachment } from '../../../redis/replication/client.js';
import type { ReplicatedCommand } from '../../../redis/replication/command-parser.js';
import type { NodeConnection } from '../../../redis/connection.js';
import { parseInfo } from '../../../redis/info.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';

const releases = [...(await findServers()).keys()];
const text = ({ args }: ReplicatedCommand): string => args.map(String).join(' ');

/** Reads commands until one of them is `last`, and leaves. */
async function readTo(attachment: Attachment, last: string): Promise<{ seen: string[]; offset: number }> {
  const seen: string[] = [];
  for await (const commands of attachment.batches())
    for (const command of commands) {
      seen.push(text(command));
      if (text(command) === last) return { seen, offset: command.offset };
    }
  throw new Error(`the stream ended before ${last}`);
}

async function isOnline(node: NodeConnection): Promise<boolean> {
  const info = parseInfo(String(await node.call('INFO', 'replication')));
  return info['slave0']?.includes('state=online') ?? false;
}

test.each(releases)('%s: every command after the snapshot arrives, and goes on where it was left', async (release) => {
  await using sandbox = await Sandbox.servers(1, { release });
  await using node = await sandbox.connect();
  await node.call('SET', 'before', 'x'.repeat(100_000));

  await using first = await attach({ from: sandbox.endpoint() });
  expect(first.answer.kind).toBe('full');
  expect((await checkRdb(first.snapshot?.chunks ?? [])).keys).toBe(1);
  const big = Buffer.alloc(3 << 20, 'y');
  await node.call('SET', 'big', big);
  await node.call('SET', 'marker', '1');
  const { seen, offset } = await readTo(first, 'SET marker 1');
  expect(seen.at(-2)).toBe(`SET big ${big.toString()}`);

  await node.call('SET', 'meanwhile', '1');
  await node.call('SET', 'marker', '2');
  await using second = await attach({ from: sandbox.endpoint(), resume: { replid: first.answer.replid, offset } });
  expect(second.answer).toEqual({ kind: 'partial', replid: first.answer.replid, offset });
  const rest = await readTo(second, 'SET marker 2');
  expect(rest.seen.filter((it) => it.startsWith('SET'))).toEqual(['SET meanwhile 1', 'SET marker 2']);
  // The server's own count is the proof that ours is right to the byte.
  await until('the offsets agree', async () => {
    const info = parseInfo(String(await node.call('INFO', 'replication')));
    return Number(info['master_repl_offset']) >= rest.offset;
  });
  await using third = await attach({
    from: sandbox.endpoint(),
    resume: { replid: first.answer.replid, offset: rest.offset },
  });
  expect(third.answer.kind).toBe('partial');
});

test.each(['5.0.6', '8.2.3', 'valkey-9.1.2'])(
  '%s: the server sees our acknowledgements, and WAIT takes them for a replica’s',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release });
    await using node = await sandbox.connect();
    await using attachment = await attach({ from: sandbox.endpoint() });
    await checkRdb(attachment.snapshot?.chunks ?? []);
    const reading = readTo(attachment, 'SET end 1');
    await until('our replica is online', () => isOnline(node));
    await node.call('SET', 'key', 'value');
    expect(await node.call('WAIT', 1, 4000)).toBe(1);
    await node.call('SET', 'end', '1');
    await reading;
  },
);

test.each(['5.0.6', '7.0.15', '8.2.3', 'valkey-9.1.2'])(
  '%s: a reader that acknowledges nothing keeps its link, and WAIT never counts it',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, {
      release,
      configuration: ['repl-timeout 3', 'repl-ping-slave-period 1'],
    });
    await using node = await sandbox.connect(undefined, { timeoutMs: 20_000 });
    await using attachment = await attach({ from: sandbox.endpoint(), acknowledge: 'none' });
    await checkRdb(attachment.snapshot?.chunks ?? []);
    const reading = readTo(attachment, 'SET end 1');
    await until('our replica is online', () => isOnline(node));
    await node.call('CONFIG', 'SET', 'min-slaves-to-write', '1');
    await until('it counts as a good replica, by the time of its last word', async () =>
      String(await node.call('INFO', 'replication')).includes('min_slaves_good_slaves:1'),
    );
    await node.call('SET', 'key', 'value');
    // Twice as long as the server waits for a replica that says nothing.
    expect(await node.call('WAIT', 1, 6000)).toBe(0);
    expect(await isOnline(node)).toBe(true);
    await node.call('SET', 'end', '1');
    expect((await reading).seen).toContain('SET key value');
  },
);

test('an offset that the backlog no longer covers gives a full synchronization, never a gap', async () => {
  await using sandbox = await Sandbox.servers(1, { release: '5.0.6', configuration: ['repl-backlog-size 16kb'] });
  await using node = await sandbox.connect();
  await using first = await attach({ from: sandbox.endpoint() });
  await checkRdb(first.snapshot?.chunks ?? []);
  for (let i = 0; i < 40; i++) await node.call('SET', 'key', 'z'.repeat(1000));
  await using second = await attach({ from: sandbox.endpoint(), resume: first.answer });
  expect(second.answer.kind).toBe('full');
});

test('a replica that has lost its primary gives no snapshot', async () => {
  await using sandbox = await Sandbox.servers(2, { release: '7.0.15' });
  const [primary, replica] = sandbox.nodes;
  if (!primary || !replica) throw new Error('two nodes');
  await using node = await sandbox.connect(replica);
  await node.call('REPLICAOF', '127.0.0.1', primary.port);
  await until('linked', async () => String(await node.call('INFO', 'replication')).includes('master_link_status:up'));
  await sandbox.kill(primary);
  await until('link lost', async () => String(await node.call('INFO', 'replication')).includes('link_status:down'));
  await expect(attach({ from: sandbox.endpoint(replica) })).rejects.toMatchObject({
    type: 'NotCaughtUp',
    message: expect.stringContaining('NOMASTERLINK') as string,
  });
});

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** A server that says these lines, one for each command, and then nothing. */
async function speaker(...lines: string[]): Promise<{ host: string; port: number; close: () => void }> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => void socket.write(lines.shift() ?? ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, close: () => void server.close() };
}

const id = '0123456789012345678901234567890123456789';

test.each([
  ['nothing at all', [], 'NodeHung'],
  ['nothing after PSYNC', ['+OK\r\n', `\n\n+FULLRESYNC ${id} 7\r\n`], 'NodeHung'],
  ['nothing within the snapshot', ['+OK\r\n', `+FULLRESYNC ${id} 7\r\n\n$500\r\nREDIS0009`], 'NodeHung'],
  ['a loading error', ['+OK\r\n', '-LOADING Redis is loading the dataset in memory\r\n'], 'NotCaughtUp'],
  ['an unknown command', ['+OK\r\n', "-ERR unknown command 'PSYNC'\r\n"], 'MissingPermission'],
  ['another protocol', ['HTTP/1.1 400 Bad Request\r\n'], 'BackupFailed'],
  [
    'a failed snapshot',
    ['+OK\r\n', `+FULLRESYNC ${id} 7\r\n-ERR Unable to perform background save\r\n`],
    'BackupFailed',
  ],
])('a server that says %s ends in a failure with a type, in time', async (_, lines, type) => {
  const server = await speaker(...lines);
  try {
    const pulled = (async () => {
      await using attachment = await attach({ from: server, timeoutMs: 300, silenceMs: 300 });
      await checkRdb(attachment.snapshot?.chunks ?? []);
    })();
    await expect(pulled).rejects.toMatchObject({ type });
  } finally {
    server.close();
  }
});

test('a reader that stops makes the server stop: what it does not ask for does not pile up here', async () => {
  const size = 128 << 20;
  const server = await speaker('+OK\r\n', `+FULLRESYNC ${id} 7\r\n$${size}\r\n`);
  try {
    await using attachment = await attach({ from: server });
    const [sender] = sockets;
    const piece = Buffer.alloc(1 << 20);
    for (let sent = 0; sent < size; sent += piece.length) sender?.write(piece);
    const chunks = attachment.snapshot?.chunks;
    await chunks?.next();
    const accepted = (): number => (sender?.bytesWritten ?? 0) - (sender?.writableLength ?? 0);
    let [before, same] = [-1, 0];
    await until('nothing more is taken', () => {
      same = accepted() === before ? same + 1 : 0;
      before = accepted();
      return same >= 10;
    });
    // The kernel's buffers hold some megabytes.
    expect(accepted()).toBeLessThan(size / 2);
    let rest = 0;
    for await (const chunk of chunks ?? []) rest += chunk.length;
    expect(rest).toBeGreaterThan(size / 2);
  } finally {
    server.close();
  }
});

test('an abort ends it at once, with the reason given', async () => {
  const server = await speaker('+OK\r\n', '');
  try {
    const controller = new AbortController();
    const attaching = attach({ from: server, signal: controller.signal, timeoutMs: 20_000 });
    await until('it has connected', () => sockets.length > 0);
    controller.abort(new Error('the operation was cancelled'));
    await expect(attaching).rejects.toThrow('the operation was cancelled');
  } finally {
    server.close();
  }
});
