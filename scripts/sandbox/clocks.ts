import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findServers } from '../../platforms/process/servers.js';
import { FAKETIME, faketimeProgram } from '../setup/faketime.js';
import type { NodeFault } from './node-faults.js';

/** In a node's folder: how far its clock is off, as libfaketime reads it at each look at the clock. */
const CLOCK = 'clock';

/**
 * Servers whose clock can be set while they run, by release: for a sandbox and for a deployment's `platform.servers`.
 *
 * @param releases exact ones; not those that come with a newer C library than the library was built for (Debian's of trixie on)
 * @throws Error when set-up has not brought libfaketime or a server here
 */
export async function serversWithClocks(folder: string, releases: readonly string[]): Promise<Record<string, string>> {
  const faketime = await faketimeProgram();
  if (faketime === undefined) throw new Error(`no ${FAKETIME} here: run \`npm run setup -- --only faketime\``);
  const servers = await findServers();
  return Object.fromEntries(
    await Promise.all(
      releases.map(async (release): Promise<[string, string]> => {
        const server = servers.get(release);
        if (server === undefined) throw new Error(`no server of release ${release} here: run \`npm run setup\``);
        const path = join(folder, `${release}-with-clock`);
        // A node's folder is where its server works.
        const lines = [
          '#!/bin/sh',
          `[ -e ${CLOCK} ] || echo +0 > ${CLOCK}`,
          `exec "${faketime}" "$PWD/${CLOCK}" "${server}" "$@"`,
        ];
        await writeFile(path, `${lines.join('\n')}\n`);
        await chmod(path, 0o755);
        return [release, path];
      }),
    ),
  );
}

/** Node, for workers whose clock can be set while they run (`set`, by so many ms from what is right). */
export async function nodeWithClock(folder: string): Promise<{ program: string; set: (ms: number) => Promise<void> }> {
  const faketime = await faketimeProgram();
  if (faketime === undefined) throw new Error(`no ${FAKETIME} here: run \`npm run setup -- --only faketime\``);
  const [program, clock] = [join(folder, 'node-with-clock'), join(folder, CLOCK)];
  const set = (ms: number): Promise<void> => writeFile(clock, offsetOf(ms));
  await set(0);
  await writeFile(program, `#!/bin/sh\nexec "${faketime}" "${clock}" "${process.execPath}" "$@"\n`);
  await chmod(program, 0o755);
  return { program, set };
}

/** As libfaketime reads it. */
const offsetOf = (ms: number): string => `${ms < 0 ? '' : '+'}${ms / 1000}s\n`;

/** The clock of a node's machine is set forward, or back (negative), and right again; of a server of serversWithClocks. */
export const clockOff =
  (ms: number): NodeFault =>
  async (_, node) => {
    await writeFile(join(node.home, CLOCK), offsetOf(ms));
    return () => writeFile(join(node.home, CLOCK), '+0\n');
  };
