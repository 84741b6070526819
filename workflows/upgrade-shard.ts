import { windowGateName } from '../model/gates/names.js';
import { nextInShard, sameRoles } from '../model/planning/next-in-shard.js';
import { satisfies } from '../model/release.js';
import type { ShardView } from '../model/topology.js';
import { assess } from './assess.js';
import { failureTypeOf, messageOf, stopped } from './failure.js';
import { act } from './proxies.js';
import { Run, type Ended } from './run.js';
import { soak } from './soak.js';
import { compare, rejoinCompareRelease, release, swapAndRejoin, takeBack } from './upgrade-node.js';
import type { Compared } from './validate.js';
import { withEvidence } from './with-evidence.js';

/** Gates before a node leaves replication, and before the primary role moves. */
const beforeNode = [windowGateName, 'topology', 'replication', 'memory', 'disk', 'clock', 'latency', 'errors'];
const beforeHandover = [windowGateName, 'topology', 'replication', 'lag', 'memory', 'clock', 'latency', 'errors'];

export interface ShardResult {
  shard: string;
  upgraded: string[];
  /** Replicas, each with the primary that it was compared with. */
  compared: Compared[];
}

/** One shard: replicas first, the old primary last. Durable: a worker may die between any two lines. */
export async function upgradeShard(raw: unknown): Promise<Ended<ShardResult>> {
  return Run.of('upgradeShard', raw, async (run, { shard: name, canary }) => {
    const { policy, topology, to } = await assess(run, name);
    const compared: Compared[] = [];
    /** Replicas whose link was waited for: the gate may be overridden, and nothing is waited for twice. */
    const awaited = new Set<string>();
    let canaryLeft = canary;
    let hasStandby = !run.followers.wanted;
    const upgrade = async (): Promise<ShardResult> => {
      let members: string[] = [];
      try {
        await run.hooks.at('before shard');
        // Each step is decided on the shard as it is now: somebody else may have failed it over, or brought a node back.
        for (let now = await run.look(name); ; now = await run.look(name)) {
          const primary = now.shard.primary.address;
          members = membersOf(now.shard);
          // While its primary runs the release that it is to keep, and before anything of the shard is touched.
          if (!hasStandby && !satisfies(now.shard.primary.release, to)) {
            hasStandby = true;
            await addStandby(run, name, primary);
            continue;
          }
          const known = compared.filter((it) => it.primary === primary).map(({ replica }) => replica);
          const next = nextInShard(now.shard, to, now.pending, known);
          if (next === undefined) {
            await run.hooks.at('after shard');
            return { shard: name, upgraded: members, compared };
          }
          switch (next.kind) {
            case 'upgrade replica':
              if (!(await upgradeReplica(run, now.shard, next.node.address, to))) continue;
              compared.push({ replica: next.node.address, primary });
              if (canaryLeft) await soak(run, 'canary', policy.canarySoak, `${next.node.address} is the canary`, name);
              canaryLeft = false;
              break;
            case 'finish replica':
              await finishReplica(run, now.shard, next.node.address, to);
              compared.push({ replica: next.node.address, primary });
              break;
            case 'compare':
              await compare(run, name, await run.placeOf(next.node.address, name), primary);
              compared.push({ replica: next.node.address, primary });
              break;
            case 'await link':
              if (awaited.has(next.node.address))
                throw stopped(
                  `${name} has no upgraded replica that could take over from ${primary}: ${next.node.address} does not follow it`,
                );
              awaited.add(next.node.address);
              await run.gates.hold(['replication'], `before ${next.node.address} can take over`, { shard: name });
              break;
            case 'hand over':
              if (await upgradePrimary(run, now.shard, next.successor.address, to))
                compared.push({ replica: primary, primary: next.successor.address });
              break;
            case 'release primary':
              await release(run, name, await run.placeOf(primary, name), to);
              break;
            case 'stuck':
              throw stopped(next.reason);
          }
        }
      } finally {
        // What was changed for the upgrade is not left behind; and what can't be put back now doesn't hide why it stopped.
        await run.putBack(name, members);
      }
    };
    return run.family.isRoot ? withEvidence(run, topology, upgrade) : upgrade();
  });
}

/**
 * gate → isolate → save → stop, start the new version → rejoin → verify → release; a failure takes it back. False when
 * roles changed while the gates held: then nothing was done.
 */
async function upgradeReplica(run: Run, shard: ShardView, address: string, to: string): Promise<boolean> {
  const where = { shard: shard.name, node: address };
  const primary = shard.primary.address;
  run.phase('upgrading replica', `${address} of ${shard.name}`, where);
  const node = await run.placeOf(address, shard.name);
  await run.hooks.at('before node', where);
  await run.gates.hold(beforeNode, `before ${shard.name} replica ${address}`, where);
  if (!sameRoles(shard, (await run.look(shard.name)).shard)) return false;

  const order = { ...run.order, place: node };
  let swapped = false;
  try {
    const { baseline, readers } = await run.step('isolate', where, () =>
      act('isolate', `isolate ${address}`, { ...order, primary }),
    );
    if (readers > 0)
      run.note(
        'note',
        `${address} has ${readers} clients that read from it; they are cut off while it restarts`,
        where,
      );
    await run.step('save', where, () => act('snapshot', `save ${address}`, order));
    swapped = true;
    await swapAndRejoin(run, { shard: shard.name, node, primary, baseline, to });
  } catch (error) {
    if (run.isControl(error)) throw error;
    throw await takeBack(run, shard, node, swapped, error);
  }
  await run.hooks.at('after node', where);
  return true;
}

/** Compares and releases a replica that an interrupted operation had brought to the new version. */
async function finishReplica(run: Run, shard: ShardView, address: string, to: string): Promise<void> {
  const node = await run.placeOf(address, shard.name);
  const primary = shard.primary.address;
  run.phase('upgrading replica', `${address} of ${shard.name}, which an earlier operation left`, {
    shard: shard.name,
    node: address,
  });
  const { baseline } = await act('isolate', `isolate ${address}`, { ...run.order, place: node, primary });
  await rejoinCompareRelease(run, { shard: shard.name, node, primary, baseline, to });
}

/**
 * Handover to a compared, upgraded replica, then the old primary from the snapshot that it took before. False when roles
 * changed while people and gates held: then nothing was done.
 */
async function upgradePrimary(run: Run, shard: ShardView, successor: string, to: string): Promise<boolean> {
  const { policy } = run.assessment;
  const old = await run.placeOf(shard.primary.address, shard.name);
  const where = { shard: shard.name, node: old.address };
  const order = { ...run.order, place: old };

  run.phase('handing over', `${shard.name}: ${old.address} → ${successor}`, where);
  await run.approval(
    'handover',
    policy.approvals.handover,
    `Hand ${shard.name} over from ${old.address} to ${successor}?`,
    shard.name,
  );
  await run.hooks.at('before node', where);
  await run.hooks.at('before handover', where);
  const before = `before the handover of ${shard.name}`;
  const gates = run.followers.wanted ? [...beforeHandover, 'standby'] : beforeHandover;
  await run.gates.hold(gates, before, { shard: shard.name }, { handover: { candidate: successor } });
  const { shard: now } = await run.look(shard.name);
  if (!sameRoles(shard, now)) return false;

  if (run.followers.wanted) await freezeStandby(run, shard.name, old.address);

  // Before the handover, while it is still the truth: what the old primary saves afterwards is missing every command
  // that its version doesn't understand (docs/decisions/0002).
  await run.step('isolate', where, () => act('isolate', `isolate ${old.address}`, { ...order, primary: successor }));
  try {
    await run.step('save', where, () => act('snapshot', `save ${old.address} before the handover`, order));
    const places = await Promise.all(membersOf(now).map((address) => run.placeOf(address, shard.name)));
    const handover = await run.step(`hand over to ${successor}`, { ...where, kind: 'handover' }, () =>
      act('handOver', `${shard.name}: ${old.address} → ${successor}`, {
        ...run.order,
        shard: shard.name,
        from: old.address,
        to: successor,
        siblings: now.replicas.map((it) => it.address).filter((address) => address !== successor),
        mode: policy.handover,
        places,
      }),
    );
    run.record.handovers.push(handover);
    if (handover.fellBack !== undefined) run.note('note', `safe handover instead of fast: ${handover.fellBack}`, where);
  } catch (error) {
    // The old primary serves on: it must be promotable again, now that nothing will be done to it. It is refused to a
    // node that is an older replica already.
    let unreleased: unknown;
    try {
      await act('release', `release ${old.address}`, order);
    } catch (second) {
      if (run.isControl(second)) throw second;
      unreleased = second;
    }
    run.family.tellNodes({ addresses: [old.address], release: old.release, state: 'waiting' });
    if (run.isControl(error)) throw error;
    throw stopped(
      unreleased === undefined
        ? `${shard.name} was not handed over: ${messageOf(error)}`
        : `the handover of ${shard.name} from ${old.address} to ${successor} did not come to its end: ${messageOf(error)}; and ${old.address} was not released: ${messageOf(unreleased)}`,
      error,
    );
  }

  // From here to the restart the old primary is an older replica of a newer primary: no pause, no gate, no question.
  run.phase('upgrading old primary', `${old.address} of ${shard.name}`, where);
  try {
    const { baseline } = await act('isolate', `count resyncs of ${successor}`, { ...order, primary: successor });
    await swapAndRejoin(run, { shard: shard.name, node: old, primary: successor, baseline, to });
  } catch (error) {
    if (run.isControl(error)) throw error;
    // What was refused was not begun: it may be primary again by somebody else's doing.
    const refused = failureTypeOf(error) === 'Stopped';
    const state = refused ? 'waiting' : 'failed';
    run.family.tellNodes({ addresses: [old.address], release: old.release, state });
    throw stopped(
      refused
        ? `${old.address} of ${shard.name}, which ${successor} had taken over from, was left as it is: ${messageOf(error)}`
        : `${old.address} of ${shard.name} did not come back on ${to}: ${messageOf(error)}. ${successor} took the shard over on ${to}; ${old.address} is kept from being promoted`,
      error,
    );
  }
  await run.hooks.at('after handover', where);
  await run.hooks.at('after node', where);
  return true;
}

/** A node of the release that runs now, kept identical through the soak: what a fallback would go back to. */
async function addStandby(run: Run, shard: string, primary: string): Promise<void> {
  run.phase('upgrading replica', `a standby of ${shard} beside ${primary}, before anything of it is touched`, {
    shard,
  });
  const { address, release } = await run
    .step('add standby', { shard }, () =>
      act('addStandby', `a standby beside ${primary}`, { ...run.order, shard, primary }),
    )
    .catch((error: unknown) => {
      throw stopped(`${shard} got no standby (policy.fallback): ${messageOf(error)}. Nothing of it was touched`, error);
    });
  run.followers.tell({ shard, address, release, state: 'syncing' });
}

/** From here on what its primary writes is given to it from outside, by whoever is the root. */
async function freezeStandby(run: Run, shard: string, primary: string): Promise<void> {
  try {
    const { address } = await run.step('freeze standby', { shard }, () =>
      act('freezeStandby', `freeze the standby of ${shard}`, { ...run.order, shard, primary }),
    );
    const known = run.status.fallback?.standbys.find((it) => it.shard === shard);
    run.followers.tell({ shard, address, release: known?.release ?? run.assessment.from, state: 'frozen' });
  } catch (error) {
    if (run.isControl(error) || run.assessment.policy.fallbackLost === 'hold')
      throw stopped(`${shard} was not handed over, its standby was not frozen: ${messageOf(error)}`, error);
    run.note('note', `${shard} goes on without its standby (policy.fallbackLost): ${messageOf(error)}`, { shard });
    run.followers.lose(shard, messageOf(error));
  }
}

const membersOf = ({ primary, replicas }: ShardView): string[] => [primary, ...replicas].map((node) => node.address);
