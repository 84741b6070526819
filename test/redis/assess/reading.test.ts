// An assessment reads servers that serve: what it reads must be theirs, and what it may not read must be known.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { measuredOf } from '../../../model/knowledge/measured.js';
import { sampleKeys } from '../../../redis/assess/keys.js';
import { lookAt, readClients } from '../../../redis/assess/look.js';
import { applicationsBy, watchCommands } from '../../../redis/assess/monitor.js';
import { readSettings } from '../../../redis/assess/settings.js';
import { Sight } from '../../../redis/assess/sight.js';
import { askTarget } from '../../../redis/assess/target.js';
import { connect, type NodeConnection } from '../../../redis/connection.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

const SECRET = 'a-secret-nobody-may-read';
const { signal } = new AbortController();

let server: Sandbox;
let shop: NodeConnection;
beforeEach(async () => {
  server = await Sandbox.servers(1, {
    release: '6.2.14',
    endpoint: { password: SECRET },
    configuration: [`requirepass ${SECRET}`, 'hash-max-ziplist-entries 1024', 'maxmemory-policy allkeys-lfu'],
  });
  shop = await server.connect();
  await shop.call('CLIENT', 'SETNAME', 'shop-12');
});
afterEach(async () => {
  shop.close();
  await server.stop();
});

test('who runs what, what is set, which keys there are, and no secret', async () => {
  for (let i = 0; i < 120; i++) await shop.call('SET', `cart:${i}:items`, 'v'.repeat(i * 10), 'EX', 3600);
  await shop.call('SETRANGE', 'catalogue', 20 * 1024 ** 2, 'x');
  await shop.call('STRALGO', 'LCS', 'STRINGS', 'ohmytext', 'mynewtext');
  await using connection = await server.connect();
  const sight = new Sight(connection);

  const look = await lookAt(sight);
  const settings = await readSettings(sight);
  const keys = await sampleKeys(sight, { shard: 'shard-1', most: 1000, frequencies: true, signal });

  expect(look.calls).toMatchObject({ set: 120, setrange: 1, stralgo: 1 });
  expect(look.clients).toMatchObject([{ application: 'shop-#', user: 'default', command: 'stralgo' }]);
  expect(settings.configuration).toMatchObject({ requirepass: '(redacted)', 'hash-max-ziplist-entries': '1024' });
  expect(settings).toMatchObject({ modules: [], functions: [], primary: true });
  expect(JSON.stringify([look, settings, keys])).not.toContain(SECRET);
  expect(keys).toMatchObject({ keys: 121, looked: 121, expiring: 120, types: { string: { keys: 121 } } });
  expect(keys?.patterns['cart:#:items']?.keys).toBe(120);
  expect(keys?.big[0]).toMatchObject({ key: 'catalogue', type: 'string', length: 20 * 1024 ** 2 + 1 });
  expect(keys?.hot.length).toBeGreaterThan(0);
  expect(sight.unseen).toEqual([]);

  const few = await sampleKeys(sight, { shard: 'shard-1', most: 7, frequencies: false, signal });
  expect(few).toMatchObject({ keys: 121, looked: 7, hot: [] });
});

test('MONITOR tells who uses which keys, and of scripts what they call', async () => {
  await using connection = await server.connect();
  const clients = await readClients(connection);
  const endpoint = server.endpoint();
  const commands = measuredOf('6.2.14').commands;
  const watched = watchCommands({ endpoint, forMs: 1500, commands, applicationAt: applicationsBy(clients), signal });
  const until = performance.now() + 1200;
  while (performance.now() < until) {
    await shop.call('GET', 'cart:5:items');
    await shop.call('EVAL', "return redis.call('HGET', KEYS[1], 'f')", 1, 'user:7');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const found = new Map((await watched).map((it) => [it.application, it]));
  expect(found.get('shop-#')?.patterns).toHaveProperty('cart:#:items');
  expect(Object.keys(found.get('shop-#')?.commands ?? {})).toEqual(expect.arrayContaining(['get', 'eval']));
  expect(found.get('(scripts)')).toMatchObject({ patterns: { 'user:#': expect.any(Number) as number } });
});

test('what the user may not see is noted, and nothing is made up in its place', async () => {
  const rules = ['~*', '&*', '+@all', '-config', '-client', '-acl', '-memory', '-module'];
  await shop.call('ACL', 'SETUSER', 'looker', 'on', `>${SECRET}`, ...rules);
  await shop.call('SET', 'k', 'v');
  await using connection = await connect({ ...server.endpoint(), username: 'looker' });
  const sight = new Sight(connection);
  const look = await lookAt(sight);
  const settings = await readSettings(sight);
  await sampleKeys(sight, { shard: 'shard-1', most: 10, frequencies: false, signal });
  expect(sight.unseen.map(({ what }) => what)).toEqual([
    ...['CLIENT LIST', 'CONFIG GET *', 'ACL LIST', 'MODULE LIST', 'MEMORY USAGE'],
  ]);
  expect(look).not.toHaveProperty('clients');
  for (const name of ['configuration', 'users', 'modules']) expect(settings).not.toHaveProperty(name);
});

test('a server of the target refuses what can’t be loaded, a rule that it has not, and a value that it takes no more', async () => {
  await using target = await Sandbox.servers(1, { release: '8.0.6' });
  await using connection = await server.connect();
  const settings = await readSettings(new Sight(connection));
  await using asked = await target.connect();
  const odd = { ...settings, users: ['user app on #(redacted) ~* &* +nosuchcommand'] };
  const scripts = [
    { name: 'bad', text: 'return }' },
    { name: 'good', text: 'return 1' },
  ];
  const answers = await askTarget(asked, { from: '6.2.14', to: '8.0.6', settings: [odd], scripts });
  expect(answers.refusedScripts.map(({ name }) => name)).toEqual(['bad']);
  expect(answers.refusedUsers).toMatchObject([
    { user: 'app', why: expect.stringContaining('nosuchcommand') as string },
  ]);
  expect(answers.refusedValues).toEqual([]);
  expect(answers.commands).not.toHaveProperty('stralgo');
  expect(answers.globals).not.toContain('print');
});
