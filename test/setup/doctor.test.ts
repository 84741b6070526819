import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { components } from '../../scripts/setup/catalogue.js';
import { examine, renderDoctor } from '../../scripts/setup/doctor.js';
import { startTemporal } from '../../scripts/setup/temporal.js';

const before = { ...process.env };
let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'rollout-doctor-'));
});
afterAll(() => rm(cache, { recursive: true, force: true }));

test('on a machine with nothing, each component is missing and doctor says how to get it', async () => {
  Object.assign(process.env, { ROLLOUT_CACHE: cache, PATH: '' });
  try {
    const report = await examine({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(report.ok).toBe(false);
    // Chrome on macOS is no program of PATH.
    const missing = report.components.filter((it) => it.state === 'missing' || it.name === 'chromium');
    expect(missing).toHaveLength(components.length);
    const text = renderDoctor(report);
    expect(text).toContain('get it: npm run setup -- --only redis-8.0.6');
    expect(text).toContain('or: put redis-server 8.0.6 on PATH');
    expect(text).toMatch(/Temporal at 127\.0\.0\.1:1 \(by TEMPORAL_ADDRESS\) does not answer: .+/);
    expect(text).toContain('Not ready for `npm run demo`');
  } finally {
    process.env = { ...before };
  }
});

test('a Temporal that answers at TEMPORAL_ADDRESS is found', async () => {
  const server = await startTemporal();
  try {
    const { temporal } = await examine({ ...process.env, TEMPORAL_ADDRESS: server.address });
    expect(temporal).toEqual({ address: server.address, from: 'TEMPORAL_ADDRESS', reachable: true });
  } finally {
    await server.stop();
  }
});
