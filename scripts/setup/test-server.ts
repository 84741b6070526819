import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.js';
import { locate, onPath } from './search-path.js';
import type { Route } from './route.js';
import { sha256, type Source } from './store.js';

/** Our launcher of Temporal's Java test server, with its dependencies by name and version. */
const sources = join(import.meta.dirname, 'test-server');

/** Of the list `<SHA-256> <name>`, a line for each library, by name. */
const LIBRARIES = '493df237ed68f70fec49ede5a4a07e2368a403d6191063622b3cb4eb2020d724';

/** What has its name on PATH elsewhere listens on every address: only this one is used. */
export const TEST_SERVER = 'redis-rollout-test-server';

/** Path of the time-skipping server's launcher; undefined before set-up. */
export const testServerProgram = (): Promise<string | undefined> => locate(TEST_SERVER);

/** Maven fetches it, with whatever mirror and proxy it is set up with; the JDK compiles the launcher. */
export const testServerByMaven: Route = {
  name: 'Maven artifact io.temporal:temporal-test-server:1.35.0',
  async obtain(folder, { signal }) {
    for (const tool of ['mvn', 'javac', 'java'])
      if ((await onPath(tool)).length === 0) throw new Error(`there is no ${tool} to make it with`);
    const options = { tailLines: 3, ...(signal ? { signal } : {}) };
    const libraries = join(folder, 'lib');
    await runCommand(
      'mvn',
      [
        ...['-q', '-B', '-f', join(sources, 'pom.xml'), 'dependency:copy-dependencies'],
        ...['-DincludeScope=runtime', `-DoutputDirectory=${libraries}`],
      ],
      options,
    );
    const found: Source[] = [];
    for (const name of (await readdir(libraries)).sort())
      found.push({ name, sha256: await sha256(join(libraries, name)) });
    const all = createHash('sha256');
    for (const it of found) all.update(`${it.sha256} ${it.name}\n`);
    const actual = all.digest('hex');
    if (actual !== LIBRARIES)
      throw new Error(`its ${found.length} libraries have SHA-256 ${actual}, ${LIBRARIES} was expected: not used`);
    await runCommand(
      'javac',
      ['-cp', `${libraries}/*`, '-d', join(folder, 'classes'), join(sources, 'TestServer.java')],
      options,
    );
    await writeStart(folder);
    return found;
  },
};

/** `exec`: the pid is the server's own. Its heap grows with the histories that it keeps. */
async function writeStart(folder: string): Promise<void> {
  const start = join(folder, 'bin', TEST_SERVER);
  await mkdir(join(folder, 'bin'));
  await writeFile(
    start,
    [
      '#!/bin/sh',
      'here=$(dirname "$(readlink -f "$0")")/..',
      'exec java -XX:+UseParallelGC -cp "$here/classes:$here/lib/*" TestServer "$@"',
      '',
    ].join('\n'),
  );
  await chmod(start, 0o755);
}
