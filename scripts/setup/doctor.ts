import { statfs } from 'node:fs/promises';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { cacheFolder } from '../../launch/cache.mjs';
import { components, type Component } from './catalogue.js';
import { lookFor } from './present.js';
import { Store } from './store.js';

export interface ComponentReport {
  name: string;
  neededFor: 'demo' | 'tests';
  state: 'found' | 'damaged' | 'missing';
  where?: 'PATH' | 'cache';
  path?: string;
  release?: string;
  /** How it came into the cache, and when (ISO). */
  from?: string;
  /** `ok`: every byte is as it was placed. What is on PATH is not ours to check. */
  checksum?: 'ok' | 'differs';
  /** What is wrong with a damaged one. */
  damage?: readonly string[];
  /** How to get one that is missing or damaged: the command, and what to do by hand where that fails. */
  get?: { command: string; byHand: string };
}

export interface DoctorReport {
  /** Is everything there that the demo needs, and is this Node new enough? */
  ok: boolean;
  cache: string;
  node: { version: string; path: string; ok: boolean };
  machine: { cores: number; memoryFree: number; memoryTotal: number; cacheDiskFree: number };
  /** Things to know, none of which stops anything. */
  notes: readonly string[];
  components: readonly ComponentReport[];
  temporal: { address: string; from: string; reachable: boolean; reason?: string };
}

/** Looks at this machine and changes nothing. Reads every byte in the cache: a second or two. */
export async function examine(environment: NodeJS.ProcessEnv = process.env): Promise<DoctorReport> {
  const store = new Store(cacheFolder());
  const [reports, temporal, cacheDiskFree] = await Promise.all([
    Promise.all(components.map((it) => examineComponent(it, store))),
    examineTemporal(environment),
    diskFree(store.root),
  ]);
  const machine = { cores: availableParallelism(), memoryFree: freemem(), memoryTotal: totalmem(), cacheDiskFree };
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const node = { version: process.version, path: process.execPath, ok: major > 20 || (major === 20 && minor >= 19) };
  return {
    ok: node.ok && reports.every((it) => it.neededFor !== 'demo' || it.state === 'found'),
    cache: store.root,
    node,
    machine,
    notes: notesOn(machine),
    components: reports,
    temporal,
  };
}

async function examineComponent(component: Component, store: Store): Promise<ComponentReport> {
  const { name, neededFor, byHand, routes } = component;
  const command = routes.length === 0 ? byHand : `npm run setup -- --only ${name}`;
  const found = await lookFor(component, store, { quick: false });
  if (found === undefined) return { name, neededFor, state: 'missing', get: { command, byHand } };
  const { where, path, release, manifest, damage } = found;
  const here = { name, neededFor, where, path, release };
  if (damage.length > 0) return { ...here, state: 'damaged', checksum: 'differs', damage, get: { command, byHand } };
  if (manifest === undefined) return { ...here, state: 'found' };
  return { ...here, state: 'found', from: `${manifest.route}, ${manifest.at}`, checksum: 'ok' };
}

/** Asks the Temporal that a worker or `rollout` would use: by Temporal's own variables and profiles. */
async function examineTemporal(environment: NodeJS.ProcessEnv): Promise<DoctorReport['temporal']> {
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  const { Connection } = await import('@temporalio/client');
  let address = environment['TEMPORAL_ADDRESS'] ?? '';
  const from = address === '' ? 'its profile or default' : 'TEMPORAL_ADDRESS';
  try {
    const { connectionOptions } = loadClientConnectConfig({
      overrideEnvVars: Object.fromEntries(
        Object.entries(environment).filter((it): it is [string, string] => it[1] !== undefined),
      ),
    });
    address = connectionOptions.address ?? '127.0.0.1:7233';
    const connection = await Connection.connect({ ...connectionOptions, address, connectTimeout: 2000 });
    await connection.close();
    return { address, from, reachable: true };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { address: address === '' ? '127.0.0.1:7233' : address, from, reachable: false, reason };
  }
}

const GiB = 2 ** 30;

function notesOn(machine: DoctorReport['machine']): string[] {
  const notes: string[] = [];
  if (machine.memoryFree < GiB / 2)
    notes.push(`${size(machine.memoryFree)} of memory are free: the demo's six nodes and Temporal need about 0.5 GiB`);
  if (machine.cacheDiskFree < 2 * GiB)
    notes.push(`${size(machine.cacheDiskFree)} are free on the cache's disk: everything takes about 1.1 GiB`);
  if (machine.cores < 2) notes.push('one core: latencies that the probe measures include waiting for it');
  notes.push('sandboxes use free ports from 12000 to 31900 on loopback, node and cluster bus 10000 apart');
  return notes;
}

/** Of the file system that the cache is, or would be, on. */
async function diskFree(folder: string): Promise<number> {
  for (let at = folder; ; at = dirname(at))
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch (error) {
      if (at === dirname(at)) throw error;
    }
}

const size = (bytes: number): string => `${(bytes / GiB).toFixed(1)} GiB`;

/** The report as text: what is there, what is missing and how to get it. */
export function renderDoctor(report: DoctorReport): string {
  const { node, machine, temporal } = report;
  const width = Math.max(...report.components.map((it) => it.name.length)) + 2;
  const lines = [
    `Node ${node.version} ${node.ok ? 'ok' : 'too old: 20.19 or newer is needed'} (${node.path})`,
    `Machine: ${machine.cores} cores, ${size(machine.memoryFree)} of ${size(machine.memoryTotal)} memory free, ` +
      `${size(machine.cacheDiskFree)} disk free`,
    `Cache: ${report.cache}`,
    temporal.reachable
      ? `Temporal at ${temporal.address} (by ${temporal.from}) answers`
      : `Temporal at ${temporal.address} (by ${temporal.from}) does not answer: ${temporal.reason ?? 'no reason given'}\n` +
        '  The demo and the tests start one of their own; for a worker set TEMPORAL_ADDRESS.',
    '',
    ...report.components.flatMap((it) => renderComponent(it, width)),
    '',
    ...report.notes.map((note) => `Note: ${note}`),
    report.ok ? 'Ready for `npm run demo`.' : 'Not ready for `npm run demo`: see above.',
  ];
  return lines.join('\n');
}

function renderComponent(it: ComponentReport, width: number): string[] {
  const name = `  ${it.name.padEnd(width)}`;
  const get = it.get === undefined ? [] : [`${' '.repeat(width + 2)}get it: ${it.get.command}`];
  const hand =
    it.get === undefined || it.get.command === it.get.byHand ? [] : [`${' '.repeat(width + 2)}or: ${it.get.byHand}`];
  if (it.state === 'missing') return [`${name}missing (needed for the ${it.neededFor})`, ...get, ...hand];
  if (it.state === 'damaged')
    return [`${name}DAMAGED ${it.path ?? ''}: ${(it.damage ?? []).slice(0, 3).join('; ')}`, ...get, ...hand];
  const proof = it.checksum === 'ok' ? `checksum ok; ${it.from ?? ''}` : 'on PATH';
  return [`${name}${it.release ?? ''}  ${it.path ?? ''}  (${proof})`];
}
