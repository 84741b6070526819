import { RolloutError } from '../../model/failures.js';
import { OpenLoad } from './open-load.js';
import type { FromLoad, ToLoad } from './process.js';

// A process of its own: what is measured must not wait for a busy worker. It lives no longer than its parent.
process.once('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group of processes: the parent decides when the load ends.
process.on('SIGINT', () => undefined);

const tell = (message: FromLoad): void => void process.send?.(message, () => process.disconnect());

process.once('message', ({ what, input }: ToLoad) => {
  const load = new OpenLoad(input, new AbortController().signal);
  const act = async (): Promise<FromLoad> => {
    if (what === 'clear') await load.clear();
    if (what === 'fill') await load.fill();
    return what === 'run' ? { kind: 'done', result: await load.run() } : { kind: 'done' };
  };
  act()
    .catch((error: unknown): FromLoad => {
      const { message } = error as Error;
      return { kind: 'failed', message, ...(error instanceof RolloutError ? { type: error.type } : {}) };
    })
    .then((said) => {
      load.close();
      tell(said);
    })
    .catch(() => process.exit(1));
});
