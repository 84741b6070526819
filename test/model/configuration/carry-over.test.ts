import { expect, test } from 'vitest';
import { carryOver, compareConfiguration, directivesOf } from '../../../model/configuration.js';

const defaults = (release: string): Record<string, string> => ({ ...directivesOf(release), save: '', dir: '/data' });
const lines = (text: string): string[] => text.split('\n').filter((it) => it !== '' && !it.startsWith('#'));

test('what CONFIG SET changed is written where the file had it, and what it did not have at the end', () => {
  const { file } = carryOver({
    file: '# ours\nmaxmemory 1gb\ndir /data\nmaxmemory 2gb\n',
    running: { ...defaults('5.0.6'), maxmemory: '123', hz: '33' },
    acl: [],
    from: '5.0.6',
    to: '8.0.6',
  });
  const written = lines(file);
  expect(written.slice(0, 2)).toEqual(['maxmemory 123', 'dir /data']);
  expect(written.slice(2)).toContain('hz 33');
  expect(file).toMatch(/^# ours\n/);
});

test('defaults that differ are pinned; those that are the same are not written', () => {
  const { file } = carryOver({ file: '', running: defaults('6.2.14'), acl: [], from: '6.2.14', to: '7.0.15' });
  expect(lines(file)).toEqual(
    expect.arrayContaining(['repl-diskless-sync no', 'acl-pubsub-default allchannels', 'save ""']),
  );
  expect(file).not.toMatch(/^hz /m);
});

test('a directive that the target does not have is dropped and listed, a module’s is left alone', () => {
  const { file, differences } = carryOver({
    file: 'gopher-enabled yes\nsearch.threads 4\nlist-max-ziplist-entries 512\n',
    running: { ...defaults('6.2.14'), 'gopher-enabled': 'yes' },
    acl: [],
    from: '6.2.14',
    to: '7.0.15',
  });
  expect(file).not.toContain('gopher-enabled');
  expect(file).toContain('search.threads 4\nlist-max-ziplist-entries 512');
  expect(differences).toContainEqual(
    expect.objectContaining({ kind: 'removed', directive: 'gopher-enabled', before: 'yes' }),
  );
});

test('an included file can’t overrule what runs: all of it is written after the include', () => {
  const { file } = carryOver({
    file: 'maxmemory 1gb\ninclude /etc/redis/common.conf\n',
    running: { ...defaults('7.0.15'), maxmemory: '0' },
    acl: [],
    from: '7.0.15',
    to: '7.4.1',
  });
  const written = lines(file);
  expect(written[0]).toBe('include /etc/redis/common.conf');
  expect(written.filter((it) => it.startsWith('maxmemory '))).toEqual(['maxmemory 0']);
  expect(written).toContain('hz 10');
});

test('a cluster member told so on its command line alone stays one, and gets no replicaof', () => {
  const { file } = carryOver({
    file: 'replicaof 10.0.0.1 6379\n',
    running: { ...defaults('5.0.6'), slaveof: '10.0.0.1 6379' },
    acl: [],
    from: '5.0.6',
    to: '8.0.6',
    cluster: true,
  });
  expect(lines(file)).toContain('cluster-enabled yes');
  expect(file).not.toMatch(/replicaof|slaveof/);
});

test('protected mode, which from 7.0 on would shut out clients of a bound address, is carried over by its meaning', () => {
  const before = { ...defaults('5.0.6'), bind: '10.0.0.4', 'protected-mode': 'yes', requirepass: '' };
  const input = { file: 'bind 10.0.0.4\n', running: before, acl: [], from: '5.0.6', to: '7.0.15' };
  const { file, notes } = carryOver(input);
  expect(lines(file)).toContain('protected-mode no');
  expect(notes.join()).toContain('redis#9034');
  expect(carryOver({ ...input, running: { ...before, requirepass: 'x' } }).file).not.toContain('protected-mode no');
  expect(carryOver({ ...input, running: { ...before, bind: '127.0.0.1' } }).file).not.toContain('protected-mode no');

  const compared = (mode: string) =>
    compareConfiguration({
      node: 'n',
      before,
      after: { ...defaults('7.0.15'), ...before, 'protected-mode': mode },
      aclBefore: [],
      aclAfter: ['user default on nopass ~* &* +@all'],
      from: '5.0.6',
      to: '7.0.15',
    }).filter((it) => it.directive === 'protected-mode');
  expect(compared('no')).toMatchObject([{ kind: 'renamed' }]);
});

test('users of 6.0 may use every channel as before; gone commands leave their rules; the file’s own user lines are replaced', () => {
  const { file, notes } = carryOver({
    file: 'user ana on nopass ~* +@all\n',
    running: defaults('6.0.16'),
    acl: ['user ana on #abc ~a:* -@all +get +stralgo', 'user default on nopass ~* +@all'],
    from: '6.0.16',
    to: '7.0.15',
  });
  expect(lines(file).filter((it) => it.startsWith('user'))).toEqual([
    'user ana on "#abc" ~a:* &* -@all +get',
    'user default on nopass ~* &* +@all',
  ]);
  expect(notes.join()).toContain('+stralgo');
});

test('with an ACL file the users go there, since both would stop the server', () => {
  const { file, aclFile } = carryOver({
    file: 'aclfile /data/users.acl\n',
    running: { ...defaults('7.0.15'), aclfile: '/data/users.acl' },
    acl: [
      'user ana on #abc ~a:* resetchannels -@all (~b:* resetchannels -@all +get) +set',
      'user default on nopass ~* &* +@all',
    ],
    from: '7.0.15',
    to: '8.0.6',
  });
  expect(file).toMatch(/^aclfile \/data\/users.acl$/m);
  expect(file).not.toMatch(/^user /m);
  expect(aclFile?.split('\n')).toHaveLength(3);
});

test('no secret gets into differences and notes', () => {
  const secret = 'hush-hush-42';
  const running = { ...defaults('7.2.4'), masterauth: secret, requirepass: secret, 'tls-key-file-pass': secret };
  const acl = [`user default on >${secret} #${secret} ~* &* +@all`];
  const { differences, notes } = carryOver({ file: '', running, acl, from: '7.2.4', to: 'valkey-9.1.2' });
  expect(differences).toContainEqual(expect.objectContaining({ kind: 'renamed', directive: 'masterauth' }));
  const rows = compareConfiguration({
    node: 'n',
    before: running,
    after: { ...running, requirepass: `${secret}-2`, masterauth: '' },
    aclBefore: acl,
    aclAfter: [`user default on #${secret}-2 ~* &* +@all`, `user eve on >${secret} ~* &* +@all`],
    from: '7.2.4',
    to: '7.2.4',
  });
  expect(rows.map((it) => it.directive).sort()).toEqual(['masterauth', 'requirepass', 'user default', 'user eve']);
  expect(JSON.stringify([differences, notes, rows])).not.toContain(secret);
});

test.each([
  ['a value', { hz: '11' }, 'hz'],
  ['an alias’s value', { 'slave-read-only': 'no', 'replica-read-only': 'no' }, 'replica-read-only'],
  [
    'a limit',
    { 'client-output-buffer-limit': 'normal 1 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60' },
    'client-output-buffer-limit',
  ],
  ['a save point', { save: '1 1' }, 'save'],
])('%s that changed by itself is seen', (_, change, directive) => {
  const before = defaults('6.2.14');
  const compare = (ignore: string[]) =>
    compareConfiguration({
      node: 'n',
      before,
      after: { ...before, ...change },
      aclBefore: [],
      aclAfter: [],
      from: '6.2.14',
      to: '6.2.14',
      ignore,
    });
  expect(compare([])).toMatchObject([{ kind: 'changed', directive }]);
  expect(compare([Object.keys(change)[0] ?? ''])).toEqual([]);
});

test.each([
  ['user a on ~x -@all +get', 'user a on ~x -@all +get +set'],
  ['user a on ~x -@all +get', 'user a on ~* -@all +get'],
  ['user a on ~x &* -@all +get', 'user a on ~x resetchannels -@all +get'],
  ['user a on ~x +@all -@dangerous', 'user a on ~x -@dangerous +@all'],
  ['user a off ~x -@all', 'user a on ~x -@all'],
])('a user that may do more or less is seen: %s → %s', (before, after) => {
  const compare = (b: string, a: string) =>
    compareConfiguration({
      node: 'n',
      before: {},
      after: {},
      aclBefore: [b],
      aclAfter: [a],
      from: '7.0.15',
      to: '7.0.15',
    });
  expect(compare(before, after)).toMatchObject([{ kind: 'changed', directive: 'user a' }]);
  expect(compare(before, before)).toEqual([]);
});

test.each(['maxmemory 1gb\n', 'include other.conf\nmaxmemory 1gb\n'])(
  'carried over twice, a file stays as it is',
  (file) => {
    const running = { ...defaults('6.2.14'), maxmemory: '5', 'client-output-buffer-limit': 'normal 1 2 3' };
    const acl = ['user ana on nopass ~* &* -@all +get', 'user default on nopass ~* &* +@all'];
    const once = carryOver({ file, running, acl, from: '6.2.14', to: '6.2.14' });
    expect(carryOver({ file: once.file, running, acl, from: '6.2.14', to: '6.2.14' })).toEqual(once);
  },
);

test('commands that moved to another category are given back or taken away, so that nobody gains or loses one', () => {
  const carry = (rules: string, from: string, to: string) =>
    carryOver({ file: '', running: defaults(from), acl: [`user ana on nopass ~* &* ${rules}`], from, to });
  const moved = carry('+@all -@admin', '6.2.14', '7.0.15');
  expect(moved.file).toMatch(/^user ana .*\+role .*-client\|id /m);
  expect(moved.notes.join()).toContain('+role');
  expect(carry('+@all', '6.2.14', '7.0.15').file).toMatch(/^user ana on nopass ~\* &\* \+@all$/m);
  expect(carry('-@all +get', '6.2.14', '8.2.3').notes).toEqual([]);
});

test.each(['cluster-enabled yes\nalways-show-logo no\n', 'port 7001\n'])(
  'a node that goes back to 5.0 is still a member of its cluster, though CONFIG GET of 5.0 does not tell',
  (file) => {
    const running = defaults('5.0.6');
    expect(Object.keys(running)).not.toContain('cluster-enabled');
    const back = carryOver({ file, running, acl: [], from: '5.0.6', to: '5.0.6', cluster: true });
    expect(lines(back.file).filter((line) => line.startsWith('cluster-enabled'))).toEqual(['cluster-enabled yes']);
    // A line that this very server has read is left as it is.
    for (const line of lines(file).filter((it) => !it.startsWith('port'))) expect(back.file).toContain(line);
  },
);
