// A secret that is missing, or that shows up in a message.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { endpointFor, resolveSecret } from '../../integrations/secrets.js';
import { parseDeployment } from '../../model/deployment-file.js';
import { connect } from '../../redis/connection.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';

let folder: string;
const warnings: string[] = [];
const warn = (message: string): number => warnings.push(message);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-secrets-'));
  warnings.length = 0;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

async function secretFile(content: string, mode = 0o600): Promise<string> {
  const path = join(folder, 'secret');
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}
const deployment = (lines: string): Parameters<typeof endpointFor>[0] =>
  parseDeployment(
    `name: orders\ntopology: cluster\nplatform: { kind: process }\nbackup: { directory: /b }\n${lines}`,
    'orders.yaml',
  );

test('a variable and a file, each read anew every time', async () => {
  vi.stubEnv('ROLLOUT_TEST_SECRET', 'one');
  expect(await resolveSecret('env:ROLLOUT_TEST_SECRET')).toBe('one');
  vi.stubEnv('ROLLOUT_TEST_SECRET', 'two');
  expect(await resolveSecret('env:ROLLOUT_TEST_SECRET')).toBe('two');
  const path = await secretFile('three');
  expect(await resolveSecret(`file:${path}`, warn)).toBe('three');
  expect(warnings).toEqual([]);
});

test.each([
  ['s3cret\n', 's3cret'],
  ['s3cret\r\n', 's3cret'],
  ['s3cret\n\n', 's3cret\n'],
  [' s3cret ', ' s3cret '],
])('%j in a file is %j: one newline at the end is the editor’s', async (content, secret) => {
  expect(await resolveSecret(`file:${await secretFile(content)}`, warn)).toBe(secret);
});

test('a file that everybody can read is used, with a warning that doesn’t say what is in it', async () => {
  const path = await secretFile('s3cret', 0o644);
  expect(await resolveSecret(`file:${path}`, warn)).toBe('s3cret');
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`chmod o-r ${path}`);
  expect(warnings[0]).not.toContain('s3cret');
});

test('what is missing or empty is named by its reference', async () => {
  vi.stubEnv('ROLLOUT_TEST_EMPTY', '');
  await expect(resolveSecret('env:ROLLOUT_TEST_NONE')).rejects.toThrow(
    'env:ROLLOUT_TEST_NONE is not set on this worker',
  );
  await expect(resolveSecret('env:ROLLOUT_TEST_EMPTY')).rejects.toThrow('env:ROLLOUT_TEST_EMPTY is empty');
  await expect(resolveSecret(`file:${folder}/none`)).rejects.toThrow(/file:.*none.*there is no such file/);
  await expect(resolveSecret(`file:${folder}`)).rejects.toThrow(/it is a folder/);
  await expect(resolveSecret(`file:${await secretFile('\n')}`, warn)).rejects.toThrow(/is empty/);
  await expect(resolveSecret('env:ROLLOUT_TEST_NONE')).rejects.toMatchObject({
    type: 'Unauthorized',
    retryable: false,
  });
});

test('a secret given in place of its reference is not repeated', async () => {
  await expect(resolveSecret('hunter2')).rejects.toThrow(/^(?!.*hunter2)/);
});

test('an endpoint has everything resolved: password, certificates, renamed commands', async () => {
  vi.stubEnv('ROLLOUT_TEST_CONFIG', 'c0nfig');
  const path = await secretFile('s3cret\n');
  const endpoint = await endpointFor(
    deployment(`seeds: ["[::1]:6380"]
credentials: { username: rollout, password: "file:${path}" }
tls: { ca: ${path}, serverName: redis.example }
commands: { CONFIG: "env:ROLLOUT_TEST_CONFIG", DEBUG: gubed }
`),
    warn,
  );
  expect(endpoint).toEqual({
    host: '::1',
    port: 6380,
    username: 'rollout',
    password: 's3cret',
    tls: { ca: Buffer.from('s3cret\n'), serverName: 'redis.example', verify: true },
    commands: { CONFIG: 'c0nfig', DEBUG: 'gubed' },
  });
});

test('a certificate that isn’t there is named by its field', async () => {
  const it = deployment(`seeds: [a:1]\ntls: { ca: ${folder}/none.pem }\n`);
  await expect(endpointFor(it)).rejects.toThrow(/tls\.ca \(.*none\.pem\).*no such file/);
});

test('the endpoint opens a real server that wants a password and hides CONFIG', async () => {
  await using sandbox = await Sandbox.servers(1, {
    release: '5.0.6',
    configuration: ['requirepass s3cret', 'rename-command CONFIG c0nfig'],
    endpoint: { password: 's3cret' },
  });
  vi.stubEnv('ROLLOUT_TEST_SECRET', 's3cret');
  const it = deployment(`seeds: ["${sandbox.nodes[0]?.address ?? ''}"]
credentials: { password: env:ROLLOUT_TEST_SECRET }
commands: { CONFIG: c0nfig }
`);
  await using connection = await connect(await endpointFor(it));
  expect(await connection.call('CONFIG', 'GET', 'requirepass')).toEqual(['requirepass', 's3cret']);
});
