import type { NodeConnection } from '../connection.js';

/** Of each script its own, of the server's own, and, up to 6.x, the functions that scripts are kept as. */
const notTheirs = /^(KEYS|ARGV|__redis__.*|f_[0-9a-f]{40})$/;

/** What a script may name without having made it. For a server that is thrown away: it is asked by a script. */
export async function readGlobals(connection: NodeConnection): Promise<string[]> {
  const names = (await connection.call(
    'EVAL',
    'local names = {} for name in pairs(_G) do names[#names + 1] = tostring(name) end return names',
    0,
  )) as string[];
  return names.filter((name) => !notTheirs.test(name)).sort();
}
