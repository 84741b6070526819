import { parseArgs } from 'node:util';
import { cacheFolder } from '../launch/cache.mjs';
import { choose, components } from './setup/catalogue.js';
import { Progress } from './setup/progress.js';
import { setUp } from './setup/set-up.js';

const help = `npm run setup -- [OPTIONS]      brings here what the demo needs

  --all         everything that the tests need
  --only A,B    these components: ${components.map((it) => it.name).join(', ')}
  --json        the outcome as JSON on standard output; progress on standard error
  --help        this text

Each component is looked for on PATH, then in the cache, then fetched; what is chosen is printed, with the reason.
Cache: ${cacheFolder()}   (ROLLOUT_CACHE chooses another; docs/setup.md has the rest)
Exit code: 0 all there, 1 something is missing, 2 wrong usage, 130 interrupted.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      all: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const only = values.only?.flatMap((names) => names.split(',')).filter((name) => name !== '');
  const wanted = choose({ all: values.all, ...(only === undefined ? {} : { only }) });
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  const progress = new Progress(values.json ? process.stderr : process.stdout);
  try {
    const outcomes = await setUp(wanted, progress, { signal: interrupted.signal });
    if (values.json) console.log(JSON.stringify({ cache: cacheFolder(), components: outcomes }, null, 2));
    else {
      for (const it of outcomes) if (it.state === 'present') console.log(`${it.component}: ${it.release} ${it.reason}`);
      const missing = outcomes.filter((it) => it.state === 'missing').map((it) => it.component);
      console.log(missing.length > 0 ? `Missing: ${missing.join(', ')}` : `All ${outcomes.length} there.`);
    }
    return outcomes.some((it) => it.state === 'missing') ? 1 : 0;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    console.error('Interrupted; what was fetched whole is kept, and the next run goes on from there.');
    return 130;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage = error instanceof RangeError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(usage && error instanceof Error ? `setup: ${error.message}` : error);
  process.exitCode = usage ? 2 : 1;
}
