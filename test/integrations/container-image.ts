import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { locate, onPath } from '../../scripts/setup/search-path.js';

const run = promisify(execFile);

export const IMAGE = 'localhost/redis-rollout-check:1';

/** A container engine that answers, and the PATH on which it is found first. */
export async function engineForTests(): Promise<{ engine: string; path: string }> {
  for (const engine of [...(await onPath('podman', 'docker')), await locate('podman')])
    if (engine !== undefined && (await answers(engine)))
      return { engine, path: `${dirname(engine)}:${process.env['PATH'] ?? ''}` };
  throw new Error('no container engine here that answers: run `npm run setup -- --only container-engine`');
}

const answers = (engine: string): Promise<boolean> =>
  run(engine, ['ps', '-q']).then(
    () => true,
    () => false,
  );

/** An image of bash, which opens connections itself, and the libraries that it is linked with: no registry is asked. */
export async function makeImage(engine: string): Promise<void> {
  const bash = (await run('bash', ['-c', 'type -P bash'])).stdout.trim();
  const libraries = [...(await run('ldd', [bash])).stdout.matchAll(/(\/\S+) \(0x/g)].map(([, it = '']) => it);
  const script = 'engine=$1 image=$2; shift 2; tar -C / -ch "$@" | "$engine" import - "$image"';
  const files = [bash, ...libraries].map((it) => it.slice(1));
  await run('bash', ['-o', 'pipefail', '-c', script, 'bash', engine, IMAGE, ...files]);
}
