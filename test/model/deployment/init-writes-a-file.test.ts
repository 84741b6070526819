// What `rollout init` writes must be accepted as it is, whatever the discovered names look like.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDeployment } from '../../../model/deployment-file.js';
import { writeDeployment } from '../../../model/deployment-template.js';

const found = {
  name: 'orders',
  seeds: ['10.0.0.4:6379', '[::1]:6380'],
  release: '5.0.6',
  shards: 3,
  nodes: 6,
  backupDirectory: '/var/backups',
};

test('the file says what was found and gives the schema’s defaults', () => {
  const text = writeDeployment(found);
  const deployment = parseDeployment(text, 'orders.yaml', 'orders');
  const bare = parseDeployment(
    'name: orders\ntopology: cluster\nseeds: ["10.0.0.4:6379", "[::1]:6380"]\nplatform: {kind: process}\nbackup: {directory: /var/backups}\n',
    'bare.yaml',
  );
  expect(deployment).toEqual(bare);
  expect(text).toMatch(/^# orders: 5\.0\.6, 3 shards, 6 nodes/);
});

test('uncommenting the example of approvals gives a file that is accepted', () => {
  const text = writeDeployment(found).replace(/^ {2}# (?=roles:|approvals:| {2}\w+:)/gm, '  ');
  const { policy } = parseDeployment(text, 'orders.yaml');
  expect(policy.approvals.handover).toMatchObject({ quorum: 2, per: 'upgrade' });
  expect(Object.keys(policy.roles)).toEqual(['engineering', 'operations']);
});

test('names that YAML would read as something else survive', () => {
  const text = fc.string({ minLength: 1 }).filter((it) => it.trim() === it && !/[\p{C}\u2028\u2029]/u.test(it));
  fc.assert(
    fc.property(text, text, fc.integer({ min: 1, max: 65535 }), (username, backupDirectory, port) => {
      const written = writeDeployment({
        ...found,
        seeds: [`host:${port}`],
        username,
        password: 'env:PASSWORD',
        tls: { ca: backupDirectory, verify: false },
        backupDirectory,
      });
      const read = parseDeployment(written, 'orders.yaml');
      expect(read).toMatchObject({
        seeds: [`host:${port}`],
        credentials: { username, password: 'env:PASSWORD' },
        tls: { ca: backupDirectory, verify: false },
        backup: { directory: backupDirectory },
      });
    }),
  );
});
