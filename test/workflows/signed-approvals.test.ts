// Who reaches Temporal claims any name: with signatures the operation itself finds out, and says so.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeSigningKey, readSigningKey, signAnswer } from '../../integrations/signing-key.js';
import { rollout } from '../scripts/rollout/stage/cli.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
let folder: string;
const keys: Record<string, string> = {};
const reference = (name: string): string => `file:${join(folder, name)}`;

beforeAll(async () => {
  stage = await FakeStage.open();
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-keys-'));
  for (const name of ['ana', 'abe', 'stranger']) keys[name] = await makeSigningKey(join(folder, name));
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const policy = (more = ''): string => `people:
  ana: { keys: ["${keys['ana'] ?? ''}"] }
  abe: { keys: ["${keys['abe'] ?? ''}"] }
approvals: { signed: true, start: { roles: [engineering], quorum: 2${more} } }`;

test('forged by update, by signal and by another key, a question stays open; two signed answers decide it', async () => {
  const { operation } = await stage.run('forged', { policy: policy() });
  const { status } = await operation.waits('approval', 'start');
  const handle = stage.handle(operation.workflowId);
  const cli = (...args: string[]) => rollout(args, { env: { TEMPORAL_ADDRESS: stage.address } });

  expect(await operation.tell('approve', { by: 'ana' })).toMatchObject({
    refused: expect.stringContaining("ana's answer to 'start' is not signed") as string,
  });
  await handle.signal('approve', { by: 'ana' });
  await operation.until('the refusal of the signal is on record', (_, timeline) =>
    timeline.some(({ text }) => text.startsWith("approve was refused: ana's answer to 'start' is not signed")),
  );
  const stranger = await readSigningKey(reference('stranger'));
  expect(await operation.tell('approve', signAnswer(status, { by: 'ana' }, 'approve', stranger))).toMatchObject({
    refused: expect.stringContaining('by no key that counts for ana') as string,
  });
  const asAbe = await cli('approve', 'forged', '--as', 'abe', '--key', reference('ana'));
  expect([asAbe.code, asAbe.stderr]).toEqual([4, expect.stringContaining('by no key that counts for abe')]);

  const ana = await cli('approve', 'forged', '--as', 'ana', '--key', reference('ana'), '--comment', 'seen');
  expect([ana.code, ana.stdout.trim()]).toEqual([0, 'start approved by ana (1 of 2): seen']);
  // Somebody has listened, and sends Ana's yes as a no, as Abe's, and once more.
  const [yes] = (await operation.read()).status.approvals[0]?.answers ?? [];
  const heard = { approval: 'start', comment: 'seen', signature: yes?.signed?.signature };
  expect(await operation.tell('approve', { ...heard, by: 'abe' })).toHaveProperty('refused');
  expect(await operation.tell('reject', { ...heard, by: 'abe' })).toHaveProperty('refused');
  expect(await operation.tell('approve', { ...heard, by: 'ana' })).toEqual({
    done: 'start approved by ana (1 of 2): seen',
  });
  const abe = await rollout(['approve', 'forged', '--as', 'abe', '--signal'], {
    env: { TEMPORAL_ADDRESS: stage.address, ROLLOUT_KEY: reference('abe') },
  });
  expect(abe.code).toBe(0);
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const [record] = (await operation.read()).status.approvals;
  expect(record?.answers.map(({ by, signed }) => [by, signed?.key])).toEqual([
    ['ana', keys['ana']],
    ['abe', keys['abe']],
  ]);
});

test('what was signed in time and arrives after the question stands anew counts no more', async () => {
  const { operation } = await stage.run('signed-late', { policy: policy(', expires: 3s') });
  const { status } = await operation.waits('approval', 'start');
  const old = signAnswer(status, { by: 'ana' }, 'approve', await readSigningKey(reference('ana')));
  const anew = await operation.until('it is asked anew', ({ approvals }) => approvals.length > 1);
  expect(await operation.tell('approve', old)).toMatchObject({
    refused: expect.stringMatching(/^this answers 'start' as it was asked at .*: answer that$/) as string,
  });
  expect(await operation.tell('approve', { ...old, askedAt: undefined })).toMatchObject({
    refused: expect.stringContaining('or of something else') as string,
  });
  expect(anew.status.approvals.at(-1)?.answers).toEqual([]);
  await operation.tell('abort', { by: 'olu' });
  expect(await operation.result()).toMatchObject({ result: 'aborted' });
});

test('an upgrade whose questions nobody could sign, but for who starts it, does not begin', async () => {
  const fake = stage.deploy('nobody-signs', { policy: policy() });
  const operation = await stage.start('nobody-signs', { startedBy: 'ana' });
  expect(await operation.failure()).toMatchObject({
    type: 'BadInput',
    message: expect.stringContaining("'start' needs 2 of engineering, and without ana, who starts it") as string,
  });
  expect(fake.done).toEqual([]);
});

test('a key is made once, for its owner alone, and never over another', async () => {
  const file = join(folder, 'mine');
  const made = await rollout(['key', file, '--json']);
  expect(JSON.parse(made.stdout)).toEqual({ publicKey: (await readSigningKey(`file:${file}`)).publicKey, file });
  const again = await rollout(['key', file]);
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('expected no file, found one')]);
  const shown = await rollout(['key', '--show', `file:${file}`]);
  expect(shown.stdout.trim()).toMatch(/^ed25519:[0-9a-f]{64}$/);
  const none = await rollout(['key']);
  expect(none.code).toBe(2);
});
