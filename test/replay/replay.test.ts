// What a person would have seen otherwise: an upgrade that runs when its worker is renewed, and never goes on again.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import proto from '@temporalio/proto';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';
import { workflowTypes } from '../../model/names.js';
import { bundleWorkflows } from '../../workers/bundle.js';
import '../quiet-runtime.js';

const folder = fileURLToPath(new URL('./histories/', import.meta.url));
const names = (await readdir(folder)).sort();
const read = async (name: string): Promise<string> => gunzipSync(await readFile(join(folder, name))).toString();

interface Recorded {
  events: {
    workflowExecutionStartedEventAttributes?: { workflowId: string; workflowType: { name: string } };
    eventType: string;
  }[];
}
const parsed = async (name: string): Promise<Recorded> => JSON.parse(await read(name)) as Recorded;

let bundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  bundle = await bundleWorkflows();
});

async function replay(name: string, workflowBundle: WorkflowBundleWithSourceMap): Promise<void> {
  const history = proto.temporal.api.history.v1.History.fromObject(await parsed(name));
  const id = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  await Worker.runReplayHistory({ workflowBundle }, history, id ?? undefined);
}

test('every workflow was recorded, in each way in which it can end', async () => {
  const types = new Set<string>();
  for (const name of names)
    types.add((await parsed(name)).events[0]?.workflowExecutionStartedEventAttributes?.workflowType.name ?? '');
  expect([...types].sort()).toEqual([...workflowTypes].sort());
  expect(new Set(names.map((name) => name.split('.')[0]))).toEqual(
    new Set([
      'aborted-at-the-handover',
      'completed-with-approvals',
      'paused-and-overridden',
      'hooked-and-validated',
      'taken-back',
      'restored',
      'backed-up',
      'brought-back',
      'archived',
      'assessed',
      'drilled',
      'rehearsed',
    ]),
  );
});

for (const name of names)
  test(`a worker with today’s workflows goes on where ${name} stood`, async () => {
    await replay(name, bundle);
  });

test('a shard that no longer saved before the swap could not go on: the replay says so', async () => {
  const shard = names.find((name) => name.startsWith('completed-with-approvals.shard-'));
  await replay(shard ?? '', bundle);
  // The same bundle with one line different, as a careless change would have it.
  const code = bundle.code.replace(/(act\w*\)?\()'snapshot'/, "$1'release'");
  expect(code).not.toBe(bundle.code);
  await expect(replay(shard ?? '', { ...bundle, code })).rejects.toThrow(DeterminismViolationError);
});

test('an upgrade that went on without its backup would be noticed', async () => {
  await replay('completed-with-approvals.upgrade.json.gz', bundle);
  const code = bundle.code.replace(/(act\w*\)?\()'backUpShard'/, "$1'readLedger'");
  expect(code).not.toBe(bundle.code);
  await expect(replay('completed-with-approvals.upgrade.json.gz', { ...bundle, code })).rejects.toThrow(
    DeterminismViolationError,
  );
});

test('no history has a secret, a user’s folder, or the name of a machine', async () => {
  for (const name of names) {
    const text = JSON.stringify(JSON.parse(await read(name)), (key, value: unknown) =>
      key === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString() : value,
    );
    for (const [path] of text.matchAll(/\/(?:home|root|Users|work)\/[^"\s]*/g))
      expect(path).toMatch(/^\/home\/rollout/);
    for (const [, host] of text.matchAll(/"identity":"\d+@([^"]*)"/g)) expect(host).toBe('worker');
    expect(text).not.toMatch(/requirepass|masterauth|"password":"(?!env:|file:)/);
  }
});
