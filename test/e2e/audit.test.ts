// An auditor asks a year later who let this upgrade through, and whether anybody has touched the record since.
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuditTrail, sha256 } from '../../integrations/audit-trail.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { canonical, hashOf, type AuditEntry } from '../../model/audit/entry.js';
import { checkTrail } from '../../model/audit/verify.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { rollout } from '../scripts/rollout/stage/cli.js';
import { readReport } from './stage/evidence.js';

test('who asked, who was refused, who approved on what, what was done and checked: it is all there, once, and provable', async () => {
  await using stage = await Stage.open({ quickRetries: true });
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  await stage.deploy('orders', cluster, {
    policy: {
      ...{ canarySoak: '0s', soak: '0s' },
      roles: { operations: ['ana', 'ben', 'olu'], product: ['pia'] },
      approvals: { start: { roles: ['operations'] }, finalize: { roles: ['operations'] } },
    },
  });
  // The worker dies when it has written, and before anybody heard of it: the next attempt finds it written.
  stage.keepWorker();
  await stage.faults.draw({ activity: 'sealAudit', when: 'after', kind: 'kill', times: 2 });
  const operation = await stage.start('orders', '8.0');
  await operation.waits('approval', 'start');
  const refused = [await operation.tell('approve', { by: 'pia' }), await operation.tell('approve', { by: 'olu' })];
  expect(refused).toEqual([
    { refused: expect.stringContaining('product') as string },
    { refused: expect.stringContaining('olu started this operation') as string },
  ]);
  await operation.tell('approve', { by: 'ana', comment: 'go' });
  await operation.waits('approval', 'finalize');
  await operation.tell('approve', { by: 'ben' });
  const outcome = await operation.result();
  expect(outcome.result).toBe('completed');
  expect(await stage.faults.unfired()).toEqual([]);

  const trail = await AuditTrail.open(await loadDeployment('orders', stage.deployments));
  const { entries, findings, head } = checkTrail(await trail.lines(), { digest: sha256 });
  expect(findings).toEqual([]);
  const of = (kind: AuditEntry['kind']) => entries.filter((entry) => entry.kind === kind);
  expect(of('begun')).toMatchObject([{ by: 'olu', text: 'upgrade of orders: 7.0.15 → 8.0.6' }]);
  expect(of('control').map(({ by, text }) => [by, text.slice(0, 19)])).toEqual([
    ['pia', 'approve was refused'],
    ['olu', 'approve was refused'],
  ]);
  const [start, finalize] = of('approval').filter(({ by }) => by !== undefined);
  expect(start).toMatchObject({ by: 'ana', evidence: { answer: { role: 'operations', comment: 'go' }, backups: [] } });
  expect(finalize).toMatchObject({ by: 'ben', evidence: { overridden: [] } });
  const report = await readReport(outcome);
  const backups = report.backups.map(({ shard, sha256, at }) => ({ shard, sha256, at }));
  expect(finalize?.evidence?.['backups']).toEqual(backups);
  expect(finalize?.evidence?.['plan']).toMatch(/^sha256:[0-9a-f]{64}$/);
  const swapped = of('act').filter(({ text }) => text.startsWith('start 8.0'));
  expect(swapped.map(({ node, shard, until }) => [node, shard, until !== undefined])).toEqual(
    expect.arrayContaining(cluster.nodes.map(({ address }) => [address, 'shard-1', true])) as unknown[],
  );
  const checked = of('check').map(({ text }) => text.split(':')[0]);
  for (const text of ['gates before anything is touched', 'ledger']) expect(checked).toContain(text);
  expect(of('check').filter(({ text }) => / compared with .* 0 different$/.test(text))).toHaveLength(2);
  expect(of('ended')).toHaveLength(1);
  // The page was written right after: it names the head.
  expect(report.status.audit).toEqual(head);
  expect(await readFile(outcome.report, 'utf8')).toContain(head.hash);

  const env = { TEMPORAL_ADDRESS: stage.address, ROLLOUT_DEPLOYMENTS: stage.deployments };
  const cli = (args: string[]) => rollout(args, { cwd: stage.root, env });
  const proven = await cli(['audit', 'verify', 'orders', '--json']);
  expect(JSON.parse(proven.stdout)).toMatchObject({ findings: [], head, compared: { runs: 1, forgotten: 0 } });
  expect(proven.code).toBe(0);
  const exported = await cli(['audit', 'orders', '--json']);
  expect(exported.stdout).toBe(entries.map((entry) => `${canonical(entry)}\n`).join(''));

  // Somebody with all rights to the store makes every hash anew: only Temporal's own history still tells.
  const forged = remade(entries, (entry) => (entry.by === 'ana' ? { ...entry, by: 'pia' } : entry));
  const folder = join(stage.root, 'backups', '_backups', 'orders', 'audit');
  const [first = '', ...others] = (await readdir(folder)).sort();
  await writeFile(join(folder, first), forged.map((entry) => `${canonical(entry)}\n`).join(''));
  for (const other of others) await rm(join(folder, other));
  const found = await cli(['audit', 'verify', 'orders', '--json']);
  expect(found.code).toBe(3);
  const line = entries.findIndex(({ by }) => by === 'ana') + 1;
  expect((JSON.parse(found.stdout) as { findings: unknown[] }).findings).toContainEqual({
    line,
    problem: expect.stringContaining("not in Temporal's history") as string,
  });
}, 600_000);

function remade(entries: readonly AuditEntry[], change: (entry: AuditEntry) => AuditEntry): AuditEntry[] {
  let previous = '0'.repeat(64);
  return entries.map((entry) => {
    const changed = { ...change(entry), previous };
    previous = hashOf(changed, sha256);
    return { ...changed, hash: previous };
  });
}
