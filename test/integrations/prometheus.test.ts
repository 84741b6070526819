// A gate over a metric: the real Prometheus, one that is down, one that wants a token, and one that isn't Prometheus.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { queryPrometheus } from '../../integrations/prometheus.js';
import { cacheFolder } from '../../launch/cache.mjs';
import { until } from '../../scripts/sandbox/cluster.js';
import { claimPort } from '../../scripts/sandbox/ports.js';

let folder: string;
let prometheus: ChildProcess;
let url: string;
let giveBack = (): void => undefined;

async function findPrometheus(): Promise<string> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), join(cacheFolder(), 'bin')];
  for (const path of folders.filter(Boolean).map((it) => join(it, 'prometheus')))
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  throw new Error(`no prometheus on PATH or in ${cacheFolder()}/bin: run \`npm run setup\``);
}

beforeAll(async () => {
  const program = await findPrometheus();
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-prometheus-'));
  const claim = await claimPort();
  giveBack = claim.release;
  const address = `127.0.0.1:${claim.port}`;
  url = `http://${address}`;
  await writeFile(
    join(folder, 'prometheus.yml'),
    `global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs: [{ job_name: self, static_configs: [{ targets: ["${address}"] }] }]
`,
  );
  prometheus = spawn(
    program,
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    { stdio: 'ignore', cwd: folder },
  );
  await until('Prometheus has scraped itself', async () => {
    const samples = await queryPrometheus({ url, query: 'up' });
    return samples.some(({ value }) => value === 1);
  });
});

afterAll(async () => {
  if (prometheus.exitCode === null) {
    const exit = once(prometheus, 'exit');
    prometheus.kill('SIGKILL');
    await exit;
  }
  giveBack();
  await rm(folder, { recursive: true, force: true });
});

/** A server that answers everything alike, where the real one can't be made to. */
async function answering(
  status: number,
  body: string,
  seen?: (token: string | undefined) => void,
): Promise<[Server, string]> {
  const server = createServer((request, response) => {
    seen?.(request.headers.authorization);
    response.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return [server, `http://127.0.0.1:${address.port}`];
}

test('one number a series, with its labels', async () => {
  const samples = await queryPrometheus({ url, query: 'up' });
  expect(samples).toEqual([{ labels: expect.objectContaining({ job: 'self' }) as object, value: 1 }]);
});

test('a scalar, an expression, and numbers that are none', async () => {
  expect(await queryPrometheus({ url, query: '6 * 7' })).toEqual([{ labels: {}, value: 42 }]);
  expect(await queryPrometheus({ url: `${url}/`, query: 'vector(1) / 0' })).toEqual([{ labels: {}, value: Infinity }]);
  expect((await queryPrometheus({ url, query: 'vector(0) / 0' }))[0]?.value).toBeNaN();
  expect(await queryPrometheus({ url, query: '-1 / scalar(vector(0))' })).toEqual([{ labels: {}, value: -Infinity }]);
});

test('a metric that isn’t there gives no series, which is no number', async () =>
  expect(await queryPrometheus({ url, query: 'no_such_metric' })).toEqual([]));

test('a query too long for an address line', async () => {
  const query = Array.from({ length: 3000 }, () => '1').join(' + ');
  expect(await queryPrometheus({ url, query })).toEqual([{ labels: {}, value: 3000 }]);
});

test('a slip in the query is reported in Prometheus’ own words', async () => {
  await expect(queryPrometheus({ url, query: 'rate(up' })).rejects.toMatchObject({
    type: 'BadInput',
    message: expect.stringMatching(/refused the query rate\(up: .*parse error/) as string,
  });
});

test.each([
  ['up[1m]', 'matrix'],
  ['"text"', 'string'],
])('%s is no instant vector', async (query, kind) => {
  await expect(queryPrometheus({ url, query })).rejects.toThrow(`found a ${kind}`);
});

test('nobody listens', async () => {
  const { port, release } = await claimPort();
  const away = `http://127.0.0.1:${port}`;
  await expect(queryPrometheus({ url: away, query: 'up' }).finally(release)).rejects.toMatchObject({
    type: 'Unreachable',
    message: expect.stringMatching(new RegExp(`^Prometheus at ${away} can't be reached: .*ECONNREFUSED`)) as string,
  });
});

test('it accepts and never answers', async () => {
  const server = createServer(() => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const hung = queryPrometheus({ url: `http://127.0.0.1:${port}`, query: 'up', timeoutMs: 100 });
  await expect(hung).rejects.toThrow('did not answer within 100 ms');
  server.closeAllConnections();
  server.close();
});

test('an activity that is cancelled stops waiting', async () => {
  const abort = new AbortController();
  abort.abort(new Error('cancelled'));
  await expect(queryPrometheus({ url, query: 'up', signal: abort.signal })).rejects.toThrow('cancelled');
});

test('the token is sent, and a refusal does not repeat it', async () => {
  let seen: string | undefined;
  const [server, address] = await answering(401, 'no', (token) => (seen = token));
  const refused = queryPrometheus({ url: address, query: 'up', token: 's3cret' });
  await expect(refused).rejects.toMatchObject({ type: 'Unauthorized' });
  await expect(refused).rejects.toThrow(/^(?!.*s3cret)/);
  expect(seen).toBe('Bearer s3cret');
  server.close();
});

test.each([
  [200, '<html>Sign in</html>'],
  [502, 'bad gateway'],
  [200, '[]'],
])('something else answers there: %i %s', async (status, body) => {
  const [server, address] = await answering(status, body);
  await expect(queryPrometheus({ url: address, query: 'up' })).rejects.toThrow(
    /expected Prometheus at .*found something else/,
  );
  server.close();
});
