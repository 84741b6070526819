import type { OperationStatus } from './operation.js';

/** Where everything stands at the end and what to do now: true of what was seen, node by node. */
export function standingOf(status: OperationStatus, reason: string, untouched: boolean): string {
  const { deployment, to, result, progress, shards } = status;
  if (result === 'completed') return `${deployment} runs ${to} on all ${progress.nodes} nodes.`;
  if (untouched) return `${reason.startsWith(deployment) ? reason : `${deployment}: ${reason}`}\nNothing was touched.`;
  const lines = [
    `${deployment} was ${result === 'aborted' ? 'aborted' : 'stopped'}: ${reason}.`,
    `${progress.upgraded} of ${progress.nodes} nodes run ${to}.`,
  ];
  for (const shard of shards) {
    const odd = shard.nodes.filter(
      (node) => node.state === 'failed' || node.state === 'in progress' || node.state === 'reverted',
    );
    for (const node of odd) {
      const away = node.state === 'reverted' ? '' : ` ${ifAway(node.release, to)}`;
      lines.push(`${shard.shard}: ${node.address} is ${node.state} (${node.release}).${away}`);
    }
  }
  if (progress.upgraded > 0 && progress.upgraded < progress.nodes)
    lines.push('Both versions run side by side meanwhile; replicas of the new version follow primaries of either.');
  lines.push(`To go on where it stands: rollout start ${deployment} --to ${to}`);
  return lines.join('\n');
}

/**
 * An upgrade begins on a cluster whose every node answers, so one that is away is somebody's to start. An older server
 * than its primary's would drop what it can't parse, and be promotable.
 */
const ifAway = (release: string, to: string): string =>
  `If no process serves it, start it by hand: the server of ${to}${release === to ? '' : ` (or of ${release}, with the .previous file beside its configuration file, while its primary runs ${release} too)`} with its configuration file and --cluster-replica-no-failover yes. The next rollout start takes it up from there, once every node answers.`;
