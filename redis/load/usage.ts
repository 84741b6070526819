import { playable, type PlayableCommand } from '../../model/load-shape.js';
import type { Usage } from '../../model/benchmark.js';
import { at, connect, type Endpoint } from '../connection.js';
import { parseInfo } from '../info.js';

/** What servers have counted until a moment, of all of them together. */
interface Counted {
  cpuMs: number;
  commands: number;
  calls: Record<string, { calls: number; us: number }>;
  usedMemoryBytes: number;
  residentBytes: number;
}

async function count(endpoint: Endpoint, addresses: readonly string[]): Promise<Counted> {
  const sum: Counted = { cpuMs: 0, commands: 0, calls: {}, usedMemoryBytes: 0, residentBytes: 0 };
  for (const address of addresses) {
    await using node = await connect(at(endpoint, address));
    const info: Record<string, string> = {};
    for (const section of ['cpu', 'stats', 'memory', 'commandstats'])
      Object.assign(info, parseInfo(String(await node.call('INFO', section))));
    const number = (name: string): number => Number(info[name] ?? 0);
    sum.cpuMs += (number('used_cpu_sys') + number('used_cpu_user')) * 1000;
    sum.commands += number('total_commands_processed');
    sum.usedMemoryBytes += number('used_memory');
    sum.residentBytes += number('used_memory_rss');
    for (const [name, text] of Object.entries(info)) {
      const command = /^cmdstat_(.+)$/.exec(name)?.[1];
      const [, calls, us] = /^calls=(\d+),usec=(\d+)/.exec(text) ?? [];
      if (command === undefined || !Object.hasOwn(playable, command)) continue;
      const kept = (sum.calls[playable[command as PlayableCommand]] ??= { calls: 0, us: 0 });
      kept.calls += Number(calls);
      kept.us += Number(us);
    }
  }
  return sum;
}

/**
 * Begins to watch what serving takes: processor, memory, and the time within the server by class of command. What is
 * returned tells it since then.
 *
 * @param addresses primaries
 */
export async function watchUsage(endpoint: Endpoint, addresses: readonly string[]): Promise<() => Promise<Usage>> {
  const before = await count(endpoint, addresses);
  return async () => {
    const after = await count(endpoint, addresses);
    const commands = Math.max(1, after.commands - before.commands);
    const serviceUs: Record<string, number> = {};
    for (const [name, { calls, us }] of Object.entries(after.calls)) {
      const { calls: callsBefore = 0, us: usBefore = 0 } = before.calls[name] ?? {};
      if (calls > callsBefore) serviceUs[name] = (us - usBefore) / (calls - callsBefore);
    }
    return {
      cpuMsPerThousand: ((after.cpuMs - before.cpuMs) / commands) * 1000,
      usedMemoryBytes: after.usedMemoryBytes,
      fragmentation: after.usedMemoryBytes === 0 ? 1 : after.residentBytes / after.usedMemoryBytes,
      serviceUs,
    };
  };
}
