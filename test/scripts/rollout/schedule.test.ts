// A schedule that was changed in the file and goes on as it was; or that was paused, and is not any more since somebody changed it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeploymentFile } from '../../../model/deployment.js';
import { backupScheduleId, drillScheduleId } from '../../../model/names.js';
import { startTemporal, type TemporalServer } from '../../../scripts/setup/temporal.js';
import { rollout } from './stage/cli.js';

let temporal: TemporalServer;
let connection: Connection;
let client: Client;
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'redis-rollout-schedule-'));
  await mkdir(join(root, 'deployments'));
  temporal = await startTemporal();
  connection = await Connection.connect({ address: temporal.address });
  client = new Client({ connection });
});
afterAll(async () => {
  await connection.close();
  await temporal.stop();
  await rm(root, { recursive: true, force: true });
});

type Schedule = NonNullable<DeploymentFile['backup']['schedule']>;
type Drill = NonNullable<DeploymentFile['drill']>;
async function deploy(schedule?: Schedule, drill?: Drill): Promise<void> {
  const file: DeploymentFile = {
    ...{ name: 'orders', topology: 'cluster', seeds: ['127.0.0.1:7001'], platform: { kind: 'process' } },
    backup: { directory: join(root, 'backups'), ...(schedule === undefined ? {} : { schedule }) },
    ...(drill === undefined ? {} : { drill }),
  };
  await writeFile(join(root, 'deployments', 'orders.yaml'), JSON.stringify(file));
}
interface Answer {
  schedules: { kind: string; change: string; when?: string; paused: boolean; note?: string; next?: string }[];
}
const env = (): Record<string, string> => ({
  TEMPORAL_ADDRESS: temporal.address,
  ROLLOUT_DEPLOYMENTS: join(root, 'deployments'),
});
async function schedule(...options: string[]): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await rollout(['schedule', 'orders', '--json', ...options], { env: env() });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return Object.fromEntries((JSON.parse(stdout) as Answer).schedules.map(({ kind, change }) => [kind, change]));
}
const read = (tier: 'hourly' | 'daily' | 'monthly') =>
  client.schedule.getHandle(backupScheduleId('orders', tier)).describe();

test('it is as the file says, however often it is asked for, and whoever changed it meanwhile', async () => {
  await deploy();
  const without = await rollout(['schedule', 'orders'], { env: env() });
  expect(without.code).toBe(2);
  expect(without.stderr).toContain('its file has neither backup.schedule nor drill.schedule');

  await deploy({ at: '23:30', timezone: 'Europe/Berlin', weekday: 'mon' });
  expect(await schedule()).toEqual({ hourly: 'created', daily: 'created', weekly: 'created', monthly: 'created' });
  expect(await schedule()).toEqual({ hourly: 'none', daily: 'none', weekly: 'none', monthly: 'none' });

  // Of two months, no moment has two, each day has a higher one or the daily one, and each hour has one.
  const instants = await Promise.all(
    (['hourly', 'daily', 'weekly', 'monthly'] as const).map(async (tier) => {
      const {
        calendars = [],
        skip = [],
        timezone,
      } = (await client.schedule.getHandle(backupScheduleId('orders', tier)).describe()).spec;
      expect(timezone).toBe('Europe/Berlin');
      return [tier, calendars.length, skip.length];
    }),
  );
  expect(instants).toEqual([
    ['hourly', 1, 3],
    ['daily', 1, 2],
    ['weekly', 1, 1],
    ['monthly', 1, 0],
  ]);
  for (const next of (await read('monthly')).info.nextActionTimes) {
    const local = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', day: 'numeric', hour: 'numeric' });
    // Up to five minutes later than 23:30.
    expect(local.format(next)).toBe('1, 23');
  }
  expect((await read('hourly')).info.nextActionTimes.length).toBeGreaterThan(1);

  expect(await schedule('--pause', '--reason', 'the store is moved', '--as', 'ana')).toMatchObject({ daily: 'paused' });
  await client.schedule.getHandle(backupScheduleId('orders', 'daily')).update((was) => ({
    ...was,
    spec: { ...was.spec, calendars: [{ hour: 4 }] },
  }));
  await deploy({ at: '23:30', timezone: 'Europe/Berlin', weekday: 'mon', tiers: ['daily', 'monthly'] });
  expect(await schedule()).toEqual({ hourly: 'removed', daily: 'changed', weekly: 'removed', monthly: 'none' });
  const daily = await read('daily');
  expect(daily.state).toMatchObject({ paused: true, note: 'paused by ana: the store is moved' });
  expect(daily.spec.calendars?.[0]?.hour).toMatchObject([{ start: 23, end: 23 }]);

  const shown = await rollout(['schedule', 'orders', '--list'], { env: env() });
  expect(shown.stdout).toMatch(
    /daily backup +every day at 23:30 Europe\/Berlin +never +paused; paused by ana: the store is moved/,
  );
  expect(await schedule('--resume', '--as', 'ben')).toEqual({ daily: 'resumed', monthly: 'resumed' });
  expect(await schedule('--remove')).toEqual({ daily: 'removed', monthly: 'removed' });
  expect(await schedule('--list')).toEqual({});
  const both = await rollout(['schedule', 'orders', '--list', '--remove'], { env: env() });
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("'--list' cannot be used with")]);
}, 600_000);

test('drills are scheduled beside the backups, and go with their part of the file', async () => {
  const spring = { every: 'week' as const, weekday: 'sat' as const, at: '03:15', timezone: 'Europe/Berlin' };
  await deploy({ tiers: ['daily'] }, { schedule: { ...spring, jitter: '20m', catchUp: '6h' } });
  expect(await schedule()).toEqual({ daily: 'created', drill: 'created' });
  expect(await schedule()).toEqual({ daily: 'none', drill: 'none' });
  const { spec, policies, action } = await client.schedule.getHandle(drillScheduleId('orders')).describe();
  expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 6 * 3_600_000 });
  expect(spec).toMatchObject({ jitter: 20 * 60_000, timezone: 'Europe/Berlin' });
  expect(action).toMatchObject({
    ...{ workflowType: 'scheduledDrill', workflowId: 'redis/orders/drill/scheduled' },
    args: [{ deployment: 'orders', startedBy: 'schedule' }],
  });
  const shown = await rollout(['schedule', 'orders', '--list'], { env: env() });
  expect(shown.stdout).toMatch(/drill +every sat at 03:15 Europe\/Berlin +in \d/);

  await deploy(undefined, { schedule: { ...spring, every: 'month' } });
  expect(await schedule()).toEqual({ daily: 'removed', drill: 'changed' });
  await deploy(undefined, {});
  expect(await schedule()).toEqual({ drill: 'removed' });
  await deploy(undefined, { schedule: { at: '4 am' } });
  const { code, stderr } = await rollout(['schedule', 'orders'], { env: env() });
  expect([code, stderr]).toEqual([2, expect.stringContaining('drill.schedule.at')]);
}, 240_000);

test('a schedule that can’t be kept is named, field by field', async () => {
  await deploy({ at: '25:00', timezone: 'Mars', monthday: 31, tiers: [] });
  const { code, stderr } = await rollout(['schedule', 'orders'], { env: env() });
  expect(code).toBe(2);
  for (const field of ['at', 'timezone', 'monthday', 'tiers']) expect(stderr).toContain(`backup.schedule.${field}`);
});
