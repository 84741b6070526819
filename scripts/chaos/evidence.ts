import { cp, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Sandbox } from '../sandbox/cluster.js';
import type { Stage } from '../sandbox/stage.js';
import type { Recording } from './recording.js';
import type { RunResult } from './run.js';

/** What explains a failure: everything but the datasets, which may be large. */
const isWorthKeeping = (path: string): boolean =>
  !/\.(rdb|aof|db|db-shm|db-wal|key)$|^appendonlydir$|^bundle\.json$|^backups$/.test(basename(path));

/** Copies nodes' folders with their logs, the worker's log and state, histories, timeline and all that was seen. */
export async function keepEvidence(
  folder: string,
  {
    result,
    stage,
    cluster,
    recording,
    histories,
  }: { result: RunResult; stage: Stage; cluster: Sandbox; recording: Recording; histories: readonly string[] },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const write = (name: string, content: unknown): Promise<void> =>
    writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  await write('result.json', result);
  await write('timeline.json', recording.timeline);
  await write('events.json', recording.events);
  await write('seen.jsonl', recording.samples.map((sample) => JSON.stringify(sample)).join('\n'));
  for (const [i, history] of histories.entries()) await write(`histories-${i + 1}.jsonl`, history);
  await cp(stage.root, join(folder, 'stage'), { recursive: true, filter: isWorthKeeping });
  await cp(cluster.root, join(folder, 'nodes'), { recursive: true, filter: isWorthKeeping });
}
