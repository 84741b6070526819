import { relative } from 'node:path';
import { recordHistories } from './generate/histories.js';

/** `npm run record`: after a change of workflows/ that may break running upgrades, once it was meant to. */
const written = await recordHistories((line) => console.log(`record: ${line}`));
console.log(written.map((path) => relative('.', path)).join('\n'));
