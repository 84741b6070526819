import { NOT_TOUCHED } from '../../model/fallback-standing.js';
import { satisfies } from '../../model/release.js';
import { NOTHING_LEFT } from '../../model/standing.js';

/** A node as its server says it is; undefined release where no server answers. */
export interface ServerNow {
  address: string;
  release: string | undefined;
  /** Is it a primary with slots? */
  serves: boolean;
  runId: string;
}

/**
 * What a statement says and the servers deny, or leaves out, in words; none when it is true.
 *
 * @param before the servers when that operation began
 * @param now the servers after it had stopped
 */
export function untruths(statement: string, before: readonly ServerNow[], now: readonly ServerNow[]): string[] {
  const found: string[] = [];
  const counted = /(\d+) of (\d+) nodes run (\S+?)\.(?:\s|$)/.exec(statement);
  if (counted) {
    const [, said = '', all = '', to = ''] = counted;
    const running = now.filter(({ release }) => release !== undefined && satisfies(release, to)).length;
    if (Number(said) !== running) found.push(`says ${said} of ${all} nodes run ${to}; ${running} do`);
    if (Number(all) !== now.length) found.push(`says there are ${all} nodes; there are ${now.length}`);
  }
  for (const [, address = '', state = '', release = ''] of statement.matchAll(
    /(\S+) is (reverted|failed|in progress) \(([^)]+)\)/g,
  )) {
    const node = now.find((it) => it.address === address);
    if (node?.release !== undefined && node.release !== release)
      found.push(`says ${address} is ${state} (${release}); it runs ${node.release}`);
  }
  for (const [, address = ''] of statement.matchAll(/([\d.]+:\d+) serves (?:the shard|on)\b/g)) {
    const node = now.find((it) => it.address === address);
    if (node?.serves !== true) found.push(`says ${address} serves; it does not`);
  }
  const untouched = statement.endsWith(NOT_TOUCHED);
  if (untouched)
    for (const { address, runId, release } of now) {
      const was = before.find((it) => it.address === address);
      if (was?.release !== undefined && release !== undefined && was.runId !== runId)
        found.push(`says nothing was touched; ${address} was started anew`);
    }
  if (!counted && !untouched) found.push('says nothing of where the nodes stand');
  // Where nothing was touched the reason is all there is to mend, and what can be done about it stands beside it.
  if (!untouched && !namesNextStep(statement)) found.push('says nothing of what to do next');
  return found;
}

/**
 * It ends with the command that goes on, or with why there is none. Before its end other commands may be named: how a node
 * is started by hand, or what takes the upgrade back.
 */
function namesNextStep(statement: string): boolean {
  const last = statement.split('\n').at(-1) ?? '';
  return last.startsWith(NOTHING_LEFT) || /: rollout (?:start|fallback) \S+ --\S/.test(last);
}
