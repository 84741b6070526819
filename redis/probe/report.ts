import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProbeGap, ProbeInterruption, ProbeReport } from '../../model/evidence.js';
import { readRun, runFolders, type RunFile } from './ledger.js';
import { keepLongest } from './rows.js';
import { joinSeries, type SavedSeries } from './series.js';
import type { RunProgress } from './store.js';

interface SavedRun {
  about: RunFile;
  progress: RunProgress;
  series: SavedSeries[];
  /** Until when the run is known to have measured, Unix ms. */
  until: number;
}

/**
 * Joins what every run in the folder has saved. A running probe saves within two seconds; `ProbeHandle.report` has it save
 * at once. The ledger's result is not in it: `readBackLedger` gives that.
 */
export function loadProbeReport(folder: string): ProbeReport {
  const runs = runFolders(folder).map(loadRun);
  const stalls: ProbeGap[] = [];
  for (const { progress } of runs) for (const stall of progress.stalls) keepLongest(stalls, stall);
  const interruptions = runs
    .flatMap(({ progress }) => progress.interruptions)
    .concat(between(runs))
    .sort((a, b) => a.from - b.from);
  const notes = [...new Set(runs.flatMap(({ about }) => about.notes))];
  const names = [...new Set(runs.flatMap(({ series }) => series.map(nameOf)))];
  const rate = runs.at(-1)?.about.rate;
  return {
    startedAt: iso(runs[0]?.about.startedAt ?? 0),
    endedAt: iso(runs.at(-1)?.until ?? 0),
    ...(rate === undefined ? {} : { rate }),
    series: names.flatMap((name) => {
      const [first, ...others] = runs.flatMap(({ series }) => series.filter((each) => nameOf(each) === name));
      return first === undefined ? [] : [joinSeries([first, ...others])];
    }),
    interruptions,
    stalls,
    notes,
  };
}

const nameOf = ({ shard, operation, client }: SavedSeries): string => `${shard} ${operation} ${client}`;
const iso = (unixMs: number): string => new Date(unixMs).toISOString();

function between(runs: readonly SavedRun[]): ProbeInterruption[] {
  return runs.slice(1).flatMap((next, i) => {
    const before = runs[i];
    if (before === undefined || next.about.startedAt <= before.until) return [];
    const reason =
      before.progress.endedAt === undefined
        ? 'the probe was killed, and started again'
        : 'the probe was stopped, and started again';
    return [{ from: before.until, until: next.about.startedAt, reason }];
  });
}

function loadRun(folder: string): SavedRun {
  const about = readRun(folder);
  const series = readdirSync(folder)
    .flatMap((file) => (/^series-\d+\.json$/.test(file) ? [file] : []))
    .sort((a, b) => Number(a.slice(7, -5)) - Number(b.slice(7, -5)))
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as SavedSeries);
  const path = join(folder, 'progress.json');
  const progress = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as RunProgress)
    : { stalls: [], interruptions: [] };
  const until = progress.endedAt ?? Math.max(about.startedAt, ...series.map(({ savedAt }) => savedAt));
  return { about, progress, series, until };
}
