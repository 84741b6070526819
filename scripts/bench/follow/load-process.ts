import { write, type Load } from './load.js';

// In a process of its own: the sampler of the lag must not wait for it.
process.once('disconnect', () => process.exit(1));
process.send?.('begun');
const ms = await write(JSON.parse(process.argv[2] ?? '{}') as Load);
process.send?.(ms, () => process.exit(0));
