// What a restore gives up is said before anybody agrees to it: a number that is wrong there is a promise broken.
import { expect, test } from 'vitest';
import { ask, answer, isRefused, openDesk } from '../../../model/approvals.js';
import {
  lossText,
  restorables,
  restoreApproval,
  restoreText,
  saidLast,
  streamSince,
  windowOf,
  type RestoreSaid,
} from '../../../model/restore.js';
import { topology } from '../planning/topologies.js';

const backup = {
  ...{ shard: 'shard-1', node: '10.0.1.1:6379', file: '/b/shard-1.rdb', bytes: 2048, keys: 12, sha256: 'c'.repeat(64) },
  ...{ replid: 'a'.repeat(40), offset: 1000, at: '2026-11-29T10:00:00.000Z' },
};
const stream = (replid: string, replid2: string, offset: number, second: number) => ({
  ...{ master_replid: replid.repeat(40), master_replid2: replid2.repeat(40) },
  ...{ master_repl_offset: String(offset), second_repl_offset: String(second) },
});

test('how far a stream went on is said where the backup is of its history, and nowhere else', () => {
  expect(streamSince(backup, stream('a', '0', 3000, -1))).toBe(2000);
  // Promoted since: it counts on from where the history before ended.
  expect(streamSince(backup, stream('b', 'a', 3000, 2000))).toBe(2000);
  // The backup is of a branch that ended before it.
  expect(streamSince(backup, stream('b', 'a', 3000, 500))).toBeUndefined();
  expect(streamSince(backup, stream('b', 'c', 3000, 2000))).toBeUndefined();
  // A primary that was started anew counts from the beginning.
  expect(streamSince(backup, stream('a', '0', 10, -1))).toBeUndefined();
});

test('the window is told in time, and in bytes where they are known', () => {
  const now = '2026-11-29T12:05:00.000Z';
  expect(lossText(windowOf(backup, now, 3 * 1024))).toBe(
    'every write after 2026-11-29 10:00:00 UTC, which is 2 h 5 min of them until 2026-11-29 12:05:00 UTC (3.0 kB of the replication stream)',
  );
  expect(lossText(windowOf(backup, now))).toContain('how many bytes is not known');
});

test('each shard is said with what it would be restored from; one without a backup is named', () => {
  const { shards } = topology([{ releases: ['8.0.6', '8.0.6'] }, { releases: ['8.0.6', '8.0.6'] }]);
  const found = restorables({ backups: [{ ...backup, streamBytes: 7 }] }, shards, '2026-11-29T10:00:10.000Z');
  expect(found.without.map(({ name }) => name)).toEqual(['shard-2']);
  const [first] = found.restorable;
  expect(first).toMatchObject({ shard: 'shard-1', backup, lossWindow: { ms: 10_000, streamBytes: 7 } });
  expect(first && restoreText({ state: 'asked', ...first })).toMatch(
    /^shard-1, served by .* on 8\.0\.6: from the backup of 2026-11-29 10:00:00 UTC \(taken of 10\.0\.1\.1:6379: 12 keys, 2\.0 kB, replication id a+ at offset 1000\)\. Lost is every write after/,
  );
});

test('once it is restored, that is said in the place of what was asked, and of the others nothing changes', () => {
  const lossWindow = windowOf(backup, '2026-11-29T10:00:10.000Z');
  const of = (shard: string): RestoreSaid => ({
    ...{ state: 'asked', shard, primary: '10.0.1.1:6379', release: '8.0.6', backup, lossWindow },
  });
  const keptAside = { node: '10.0.1.1:6379', at: '/data/.rollout/given-up-1', keys: 13, bytes: 4096 };
  const done: RestoreSaid = {
    ...{ state: 'restored', shard: 'shard-1', node: '10.0.1.1:6379', release: '5.0.6', lossWindow, keptAside },
  };
  expect(saidLast([of('shard-1'), of('shard-10')], done)).toEqual([of('shard-10'), done]);
  expect(restoreText(done)).toMatch(
    /^shard-1: restored at 10\.0\.1\.1:6379 on 5\.0\.6\. Lost is every write after .*; the only copy of it is kept aside: \/data\/\.rollout\/given-up-1$/,
  );
});

test('where the policy says nothing, one person decides, and not the one who asks', () => {
  const roles = { engineering: ['ana'], operations: ['ben'] };
  const policy = restoreApproval({ approvals: { signed: false }, roles });
  expect(policy).toMatchObject({ roles: ['engineering', 'operations'], quorum: 1, selfApproval: false });
  const now = '2026-11-29T10:00:00.000Z';
  // Olu started the upgrade; it is Ana who wants it taken back.
  const desk = ask(openDesk('olu', roles), { approval: 'restore', question: 'Restore?', policy, now, askedBy: 'ana' });
  const approve = (by: string) => answer(desk, { by, decision: 'approve', now });
  expect(approve('ana')).toMatchObject({
    refused: "ana asked for this and doesn't count for 'restore' (selfApproval is off); ben may",
  });
  const approved = approve('ben');
  expect(!isRefused(approved) && approved.records[0]?.state).toBe('approved');
});
