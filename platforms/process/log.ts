import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { redactLog } from '../../model/configuration/redact.js';
import type { PlatformNode } from '../platform.js';

/** Where a process that we start writes what it says before, or instead of, its own log. */
export const outputFile = (node: PlatformNode): string => join(node.home, 'stdout.log');

/** Sizes of both logs, to tell later what was added. */
export async function logPositions(node: PlatformNode): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const path of logs(node))
    sizes.set(
      path,
      await stat(path).then(
        (it) => it.size,
        () => 0,
      ),
    );
  return sizes;
}

/** The last lines of the node's log and output, without secrets. `since` leaves out what was there before. */
export async function logTail(
  node: PlatformNode,
  lines: number,
  { since, configuration = '' }: { since?: ReadonlyMap<string, number>; configuration?: string } = {},
): Promise<string> {
  const texts: string[] = [];
  for (const path of logs(node)) {
    const text = await readEnd(path, since?.get(path) ?? 0);
    if (text !== '') texts.push(text);
    if (texts.length > 0 && since === undefined) break;
  }
  const all = texts.flatMap((text) => lastWords(text.split('\n')).slice(-lines));
  return redactLog(all.slice(-lines).join('\n'), configuration);
}

/** Of a server that crashed: hundreds of lines follow (logStackTrace and printCrashReport in debug.c), and none says why. */
function lastWords(lines: string[]): string[] {
  const crash = lines.findLastIndex((line) => /^=== \w+ BUG REPORT START\b/.test(line));
  if (crash < 0 || lines.findLastIndex((line) => line.includes(' is starting oO0')) > crash) return lines;
  const end = lines.indexOf('', crash);
  return end < 0 ? lines : lines.slice(0, end);
}

const logs = (node: PlatformNode): string[] => [
  ...new Set([...(node.logFile === undefined ? [] : [node.logFile]), outputFile(node)]),
];

const longest = 64 * 1024;

async function readEnd(path: string, from: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(from > size ? 0 : from, size - longest);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.subarray(0, bytesRead).toString('utf8').trim();
  } finally {
    await file.close();
  }
}
