import { expect, test } from 'vitest';
import { standbyConfiguration } from '../../../model/configuration/standby.js';

const own = { home: '/data/a-standby', logFile: '/data/a-standby/redis.log', clusterFile: 'nodes.conf', tls: true };

test('what is relative to the primary’s folder, its own files, ports and names: none of it is the standby’s', () => {
  const { file, aclFile, serveWith } = standbyConfiguration({
    file: [
      'loadmodule modules/search.so WORKERS 2',
      'port 6379',
      'tls-port 6380',
      'dir /data/a',
      'unixsocket /run/a.sock',
      'tls-cert-file tls/node.crt',
      'cluster-announce-port 7000',
      'aclfile /data/a/users.acl',
      'save 900 1',
      'maxmemory 1gb',
      '',
    ].join('\n'),
    running: {
      ...{ port: '6379', 'tls-port': '6380', dir: '/data/a', 'tls-cert-file': 'tls/node.crt', appendonly: 'yes' },
      ...{ aclfile: '/data/a/users.acl', save: '900 1', maxmemory: '1073741824', 'min-replicas-to-write': '1' },
      ...{ 'cluster-announce-port': '7000', unixsocket: '/run/a.sock', masterauth: '', 'cluster-enabled': 'yes' },
    },
    acl: ['user default on nopass ~* &* +@all'],
    release: '7.0.15',
    primaryHome: '/data/a',
    own: { ...own, port: 6390, otherPort: 6391 },
    as: { replicaOf: { host: '10.0.0.1', port: 6380, username: 'rollout', password: 'secret' } },
  });
  const lines = file.split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      ...['loadmodule /data/a/modules/search.so WORKERS 2', 'tls-cert-file /data/a/tls/node.crt'],
      ...['aclfile /data/a-standby/users.acl', 'dir /data/a-standby', 'port 6391', 'tls-port 6390', 'save ""'],
      ...['maxmemory 0', 'appendonly no', 'min-replicas-to-write 0', 'cluster-enabled no'],
      ...['replicaof 10.0.0.1 6380', 'masterauth secret', 'masteruser rollout'],
    ]),
  );
  // Each of them once: what stands before would be overruled, or would not.
  for (const name of ['port', 'tls-port', 'dir', 'save', 'maxmemory', 'cluster-enabled', 'aclfile'])
    expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
  expect(file).not.toMatch(/unixsocket|announce-port/);
  expect(aclFile).toContain('user default');
  expect(serveWith).toEqual({
    ...{ appendonly: 'yes', save: '900 1', maxmemory: '1073741824', 'min-replicas-to-write': '1' },
  });
});

test('as a member it follows nobody, and needs no password for it', () => {
  const { file } = standbyConfiguration({
    ...{ file: 'masterauth known\n', running: { masterauth: 'known' }, acl: [], release: '5.0.6' },
    ...{ primaryHome: '/data/a', own: { ...own, tls: false, port: 6390 }, as: 'member' },
  });
  expect(file).toMatch(/^cluster-enabled yes$/m);
  expect(file).toMatch(/^masterauth known$/m);
  expect(file).not.toMatch(/replicaof|tls-port|cluster-port/);
});

test('once it serves it is as its primary was: started again it has what it wrote down meanwhile', () => {
  const running = { appendonly: 'yes', save: '900 1', maxmemory: '1073741824', 'min-replicas-to-write': '1' };
  const text = (as: 'member' | 'serving'): string =>
    standbyConfiguration({
      ...{ file: 'appendonly yes\nsave 900 1\n', running, acl: [], release: '7.0.15' },
      ...{ primaryHome: '/data/a', own: { ...own, tls: false, port: 6390 }, as },
    }).file;
  expect(text('member')).toMatch(/^appendonly no$/m);
  const serving = text('serving');
  for (const line of [/^appendonly yes$/m, /^save 900 1$/m, /^maxmemory 1073741824$/m, /^cluster-enabled yes$/m])
    expect(serving).toMatch(line);
  for (const line of [/^appendonly no$/m, /no-failover yes/, /replicaof/]) expect(serving).not.toMatch(line);
  // It has no replicas yet, and would refuse every write.
  expect(serving).toMatch(/^min-replicas-to-write 0$/m);
});
