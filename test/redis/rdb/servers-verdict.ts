import { execFile } from 'node:child_process';
import { readFile, realpath, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

/**
 * What the server itself thinks of the file: it is redis-check-rdb when it is called by that name. A program that is a
 * script around the real one is followed to that.
 */
export async function serversVerdict(program: string, file: string, scratch: string): Promise<string> {
  const script = (await readFile(program)).subarray(0, 2000).toString('latin1');
  const link = join(scratch, `redis-check-rdb-${basename(dirname(dirname(program)))}`);
  const inner = script.startsWith('#!') ? /"\$here(\/[^"]*-server)" "\$@"/.exec(script)?.[1] : '';
  if (inner === undefined) throw new Error(`${program} is a script of a kind that this test can't read`);
  const folder = dirname(await realpath(program));
  await symlink(inner === '' ? await realpath(program) : join(folder, '..', inner), link);
  const run =
    inner === ''
      ? promisify(execFile)(link, [file])
      : promisify(execFile)('sh', ['-c', script.replace(/"[^"]*-server" "\$@"/, `"${link}" "$@"`), program, file]);
  const { stdout } = await run.catch((error: unknown) => error as { stdout: string });
  return stdout;
}
