import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import coverage, { type CoverageMap, type CoverageMapData } from 'istanbul-lib-coverage';
import libReport from 'istanbul-lib-report';
import sourceMaps from 'istanbul-lib-source-maps';
import reports from 'istanbul-reports';
import { projectRoot, runNode } from './test-run/child.js';

const help = `npm run coverage -- [FILTER...]     runs tests and says which lines they reach, workflow bodies too

  FILTER   only test files whose path contains it (default: all but e2e and scripts, whose work is done in processes of
           their own that nobody counts)

Table on the terminal, pages in coverage/index.html. Exit code: that of the tests.`;

const everything = ['model', 'docs', 'integrations', 'redis', 'platforms', 'activities', 'workflows', 'workers'];
const folder = join(projectRoot, 'coverage');
const workflowsFolder = join(folder, 'workflows');
const layers = '{activities,integrations,model,platforms,redis,workers}/**/*.ts';

async function main(filters: readonly string[]): Promise<number> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  process.env['ROLLOUT_COVERAGE'] = workflowsFolder;
  const code = await runNode(
    'vitest/vitest.mjs',
    [
      ...['run', '--coverage.enabled', '--coverage.provider=istanbul', '--coverage.reporter=json'],
      ...[`--coverage.include=${layers}`, `--coverage.reportsDirectory=${join(folder, 'tests')}`],
      // What was reached is worth knowing of a run that failed, too.
      '--coverage.reportOnFailure',
      ...(filters.length > 0 ? filters : everything.map((name) => `test/${name}/`)),
    ],
    interrupted.signal,
  );
  const map = coverage.createCoverageMap({});
  addFile(map, await read(join(folder, 'tests', 'coverage-final.json')));
  const counts = coverage.createCoverageMap({});
  for (const name of await readdir(workflowsFolder).catch(() => []))
    for (const counted of (await read(join(workflowsFolder, name))) as unknown as CoverageMapData[])
      addFile(counts, onlyWorkflows(counted));
  // The bundle was compiled before it was instrumented: back to the lines of the source.
  map.merge(await sourceMaps.createSourceMapStore().transformCoverage(counts));
  const context = libReport.createContext({ dir: folder, coverageMap: map });
  for (const report of [reports.create('text', { maxCols: 120 }), reports.create('html')]) report.execute(context);
  console.log(`pages: ${relative(process.cwd(), join(folder, 'index.html'))}`);
  return code;
}

const read = async (file: string): Promise<CoverageMapData> =>
  JSON.parse(await readFile(file, 'utf8')) as CoverageMapData;

const addFile = (map: CoverageMap, data: CoverageMapData): void => map.merge(coverage.createCoverageMap(data));

/** The bundle has model/ in it as well; that is counted by the test runner, by other positions. */
const onlyWorkflows = (data: CoverageMapData): CoverageMapData =>
  Object.fromEntries(Object.entries(data).filter(([file]) => relative(projectRoot, file).startsWith('workflows')));

const filters = process.argv.slice(2);
if (filters.includes('--help')) console.log(help);
else process.exitCode = await main(filters);
