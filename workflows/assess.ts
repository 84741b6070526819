import { mayReachQuorum } from '../model/approvals.js';
import { approvalQuestions } from '../model/policy.js';
import { plannedClass } from '../model/fallback-class.js';
import { withoutWayBack } from '../model/fallback-steps.js';
import { blockersOf } from '../model/plan.js';
import { backlogReach } from '../model/planning/backlog.js';
import { planWay } from '../model/planning/plan-way.js';
import { satisfies } from '../model/release.js';
import { rolesThatCanAnswer } from '../model/signed-answer.js';
import type { Assessment } from '../model/work.js';
import type { FallbackAssessment } from '../model/fallback-work.js';
import { expectEarlierEnded } from './earlier.js';
import { stopped } from './failure.js';
import { act, look, lookBack } from './proxies.js';
import { finishRestore } from './restore-shard.js';
import type { Run } from './run.js';

/**
 * Reads the deployment, refuses what can't be done, and plans; nothing is touched. On a way in several hops, the next
 * of them: `to` of what it finds.
 */
export async function assess(run: Run, shard?: string): Promise<Assessment> {
  const { deployment, to, via } = run.status;
  run.phase('assessing', `reading ${shard ?? deployment}, changing nothing`);
  const summary = `assess ${shard ?? deployment}`;
  const input = { ...run.order, to, ...(via ? { via } : {}), ...(shard === undefined ? {} : { shard }) };
  const found = await (run.family.isRoot && run.untouched ? look(summary, input) : act('assess', summary, input));
  if (run.family.isRoot && run.untouched) {
    if (found.away || found.pending.length > 0 || found.from === found.to)
      await expectEarlierEnded(run.family, found, run.status.startedBy);
    if (found.away && (await bringBack(run, found.away))) return assess(run, shard);
  }
  run.adopt(found);
  const { way, facts } = found;
  const hops = way.length > 1 ? { via: way.slice(0, -1), hop: found.to } : {};
  const from = run.status.from || found.from;
  Object.assign(run.status, { from, to: way.at(-1), ...hops, artefacts: found.artefacts });
  run.plan = planWay({ deployment: found, topology: found.topology, facts }, way.slice(way.indexOf(found.to)));
  run.status.shards = found.topology.shards.map((it) => ({
    shard: it.name,
    state: 'waiting',
    phase: 'waiting',
    nodes: [...it.replicas, it.primary].map(({ address, role, release }) => ({
      address,
      role,
      release,
      state: satisfies(release, found.to) && !found.pending.includes(address) ? 'upgraded' : 'waiting',
    })),
  }));
  run.count();
  if (run.family.isRoot) expectDecidable(run, found);
  const blockers = blockersOf(run.plan);
  // Every node runs the target, and some were never compared or released: that is left to do.
  const onlyPending = found.pending.length > 0 && found.from === found.to;
  if (blockers.length > 0 && !onlyPending)
    throw stopped(
      blockers.map((it) => `${it.subject}: ${it.text}${it.next === undefined ? '' : ` ${it.next}`}`).join('\n'),
      undefined,
      blockers.some((it) => it.subject === 'target') ? 'BadTarget' : 'Degraded',
    );
  run.followers.outlook(
    run.plan.fallback ?? { policy: found.policy.fallback, ...plannedClass(found.policy, found) },
    backlogReach(found),
  );
  run.publish();
  return found;
}

/** Reads what is to be taken back, and to which release; nothing is touched. */
export async function assessFallback(run: Run, shards: string[]): Promise<FallbackAssessment> {
  const { deployment } = run.status;
  const what = shards.length === 0 ? deployment : `${shards.join(', ')} of ${deployment}`;
  run.phase('assessing', `reading what ${what} can go back to, changing nothing`);
  const [summary, input] = [`assess the fallback of ${what}`, { ...run.order, shards }];
  const first = run.family.isRoot && run.untouched;
  const found = await (first ? lookBack(summary, input) : act('assessFallback', summary, input));
  if (first) await expectEarlierEnded(run.family, found, run.status.startedBy);
  if (found.unfinished) {
    for (const restore of found.unfinished) {
      const { shard } = restore;
      run.note('note', `${shard}: its restore was approved and interrupted, and goes on first`, { shard });
      await finishRestore(run, restore);
    }
    return assessFallback(run, shards);
  }
  if (first && found.away && (await bringBack(run, found.away))) return assessFallback(run, shards);
  run.adopt(found);
  const { from, to, topology, standbys, pending, policy, awayIn = [] } = found;
  Object.assign(run.status, { from, to, artefacts: found.artefacts });
  run.status.shards = topology.shards.map((it) => ({
    shard: it.name,
    state: 'waiting',
    phase: 'waiting',
    nodes: [...it.replicas, it.primary]
      .filter(({ address }) => standbys.every((standby) => standby.address !== address))
      .map(({ address, role, release }) => ({
        ...{ address, role, release },
        state: satisfies(release, to) && !pending.includes(address) ? ('reverted' as const) : ('waiting' as const),
      }))
      .concat(
        awayIn
          .filter(({ shard }) => shard === it.name)
          .map(({ address }) => ({ address, role: 'replica', release: 'unknown', state: 'waiting' })),
      ),
  }));
  run.count();
  const bare = withoutWayBack(found);
  run.followers.outlook({
    policy: policy.fallback,
    ...(bare.length === 0
      ? { class: 'lossless', reason: 'every shard has its standby, or was not handed over yet' }
      : {
          class: 'restore-only',
          reason: `${bare.map(({ name }) => name).join(', ')}: handed over, and without a standby`,
        }),
  });
  for (const standby of standbys)
    if (topology.shards.some(({ name }) => name === standby.shard)) run.followers.know(standby);
  return found;
}

/** Starts what an earlier operation left down; true when anything was started. */
async function bringBack(run: Run, away: string[]): Promise<boolean> {
  const found = await run.step('bring back', {}, () =>
    act('bringBack', `bring back ${away.join(', ')}`, { ...run.order, nodes: away }),
  );
  for (const { address, release, problem } of found)
    run.note(
      'note',
      release === undefined
        ? `${address} can't be read: ${problem}`
        : `${address} was down: started again on ${release}, kept from being promoted until it is done`,
      { node: address },
    );
  const started = found.some(({ release }) => release !== undefined);
  if (started) run.untouched = false;
  return started;
}

/** A question that nobody can answer would hold an upgrade for ever. */
function expectDecidable(run: Run, { policy }: Assessment): void {
  for (const name of approvalQuestions) {
    const asked = policy.approvals[name];
    // Of a fallback's alone, and of who asks for that.
    if (asked === undefined || name === 'restore') continue;
    const verdict = mayReachQuorum(name, asked, run.status.startedBy, rolesThatCanAnswer(policy));
    if (verdict.state !== 'pass') throw stopped(`${verdict.reason}: ${verdict.clears}`, undefined, 'BadInput');
  }
}
