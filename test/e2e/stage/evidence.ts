import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { ReportData } from '../../../model/report.js';
import { checkSnapshot } from '../../../redis/snapshot.js';
import type { Operation } from '../../../scripts/sandbox/operation.js';
import type { Stage, UpgradeOutcome } from '../../../scripts/sandbox/stage.js';

/** The upgrade came to its end, and every acknowledged write is there. */
export function expectCompleted(outcome: UpgradeOutcome): asserts outcome is UpgradeOutcome & { result: 'completed' } {
  expect(outcome).toMatchObject({ result: 'completed' });
  if (outcome.result !== 'completed') throw new Error(outcome.statement);
  expect(outcome.ledger).toMatchObject({ lost: 0, examples: [] });
  expect(outcome.ledger?.acknowledged).toBeGreaterThan(0);
}

/** What the operation wrote beside its report, which itself must be a whole page. */
export async function readReport(outcome: UpgradeOutcome): Promise<ReportData> {
  const html = await readFile(outcome.report, 'utf8');
  expect(html).toMatch(/^<!doctype html>[\s\S]*<\/html>\s*$/i);
  return reportIn(dirname(outcome.report));
}

export const reportIn = async (folder: string): Promise<ReportData> =>
  JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as ReportData;

/** Lost writes by the ledger of an operation, whatever became of it. */
export async function expectNothingLost(operation: Operation): Promise<void> {
  const { status } = await operation.read();
  const ledger = JSON.parse(await readFile(join(status.artefacts, 'ledger.json'), 'utf8')) as {
    acknowledged: number;
    lost: number;
    examples: unknown[];
  };
  expect(ledger).toMatchObject({ lost: 0, examples: [] });
  expect(ledger.acknowledged).toBeGreaterThan(0);
}

/** Clients saw no failed operation, no key differed, nobody took a full resync, and no setting was changed. */
export function expectUnnoticed(report: ReportData): void {
  const failures = (report.probe?.series ?? []).map((it) => [it.shard, it.operation, it.client, it.failures]);
  expect(failures.length).toBeGreaterThan(0);
  expect(failures.filter(([, , , kinds]) => Object.keys(kinds ?? {}).length > 0)).toEqual([]);
  expect(report.verify.reduce((sum, it) => sum + it.different, 0)).toBe(0);
  expect(report.resyncs.filter((it) => it.kind === 'full')).toEqual([]);
  expect(report.configuration.filter((it) => it.kind === 'changed')).toEqual([]);
}

/** A backup of every shard is on disk, and each is whole by our own reading of it. */
export async function expectBackups(report: ReportData, shards: number): Promise<void> {
  expect(report.backups.map((it) => it.shard).sort()).toEqual(
    Array.from({ length: shards }, (_, i) => `shard-${i + 1}`),
  );
  for (const { file, sha256, keys } of report.backups)
    expect(await checkSnapshot(file)).toMatchObject({ sha256, keys });
}

/** No history, report, log or other file of the operation has any of these texts. */
export async function expectSecret(stage: Stage, operation: Operation, secrets: readonly string[]): Promise<void> {
  const places = new Map([['histories', await operation.histories()]]);
  for (const file of await filesBelow(stage.root))
    if (!/\.rdb$|temporal\.db|bundle\.json$/.test(file)) places.set(file, await readFile(file, 'latin1'));
  expect(places.size).toBeGreaterThan(3);
  // What was handed over is read, too.
  expect(places.get('histories')).toContain('"deployment":');
  const found = secrets.flatMap((secret, i) =>
    [...places].filter(([, text]) => text.includes(secret)).map(([place]) => `secret ${i} in ${place}`),
  );
  expect(found).toEqual([]);
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name));
}
