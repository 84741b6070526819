import { relative } from 'node:path';
import { recordHistories } from './generate/histories.js';

/**
 * `npm run record`: after a change of workflows/ that may break running upgrades, once it was meant to. `-- SCENE...` for
 * some of them, such as one that is new.
 */
const written = await recordHistories(process.argv.slice(2), (line) => console.log(`record: ${line}`));
console.log(written.map((path) => relative('.', path)).join('\n'));
