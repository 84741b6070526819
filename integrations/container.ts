import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { runOwnCommand, type CommandEnd, type OwnCommand } from './own-command.js';

const run = promisify(execFile);

/** podman takes docker's commands; each is tried in this order. */
const ENGINES = ['docker', 'podman'] as const;
const ANSWERS_WITHIN_MS = 15_000;

/** Says where the engine and its registries are; the container itself gets none of them. */
const ENGINES_OWN =
  /^(DOCKER_(HOST|CONTEXT|CONFIG|CERT_PATH|TLS_VERIFY)|CONTAINER_(HOST|CONNECTION)|CONTAINERS_(CONF|STORAGE_CONF)|REGISTRY_AUTH_FILE|XDG_(RUNTIME_DIR|CONFIG_HOME|DATA_HOME))$/;

export interface OwnContainer extends Omit<OwnCommand, 'command'> {
  /** Lower-case letters, digits and dashes; what has it is taken away first, for it is of an attempt whose worker has died. */
  name: string;
  image: string;
  /** In the place of the image's own. */
  command?: readonly string[] | undefined;
}

/**
 * Runs an image to its end, on the network of this machine, with `environment` and nothing else of the worker's. Its values
 * are in no command line. Nothing of the container is left, however it ends; the image stays.
 *
 * The engine's exit codes are docker's: 125 where the engine itself failed, as with an image that there isn't.
 *
 * @throws the signal's reason, once that is aborted
 */
export async function runContainer({ name, image, command = [], ...own }: OwnContainer): Promise<CommandEnd> {
  const begun = performance.now();
  const { engine, lacking } = await findEngine();
  if (engine === undefined) return { problem: lacking, said: '', tookMs: Math.round(performance.now() - begun) };
  const remove = async (): Promise<void> => {
    // podman's rm would wait ten seconds for what ignores SIGTERM.
    for (const words of [['kill'], ['rm', '-f']])
      await run(engine, [...words, name], { timeout: 60_000 }).catch(() => undefined);
  };
  await remove();
  const engines = Object.entries(process.env).filter(([it]) => ENGINES_OWN.test(it));
  let ended: CommandEnd | undefined;
  try {
    const variables = Object.keys(own.environment).flatMap((it) => ['-e', it]);
    ended = await runOwnCommand({
      ...own,
      command: [engine, 'run', '--rm', '--name', name, '--network=host', ...variables, image, ...command],
      environment: { ...(Object.fromEntries(engines) as Record<string, string>), ...own.environment },
    });
    return ended;
  } finally {
    // The engine's client is what was killed: the container is a child of the engine's.
    if (ended?.problem !== undefined || ended === undefined) await remove();
  }
}

/** The first that does what it is asked: a client is often there whose engine isn't. Without one, what there is instead. */
export async function findEngine(): Promise<{ engine: string; lacking?: never } | { engine?: never; lacking: string }> {
  const silent: string[] = [];
  for (const engine of ENGINES)
    try {
      await run(engine, ['ps', '-q'], { timeout: ANSWERS_WITHIN_MS });
      return { engine };
    } catch (error) {
      const { stderr = '', code, killed } = error as Error & { stderr?: string; code?: unknown; killed?: boolean };
      const why = stderr.trim().split('\n')[0] || (killed ? 'no answer' : 'failed');
      silent.push(`${engine}: ${code === 'ENOENT' ? 'not installed' : why}`);
    }
  return {
    lacking: `no container engine answers on this worker (${silent.join('; ')}): run the check as a command, or start one of them`,
  };
}
