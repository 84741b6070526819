import type { IncidentRecord, RestorePoint } from '../model/evidence.js';
import { nextInFallback } from '../model/fallback-steps.js';
import { satisfies } from '../model/release.js';
import type { NodeView, ShardView } from '../model/topology.js';
import type { NodePlace } from '../model/work.js';
import type { StandbyNow } from '../model/fallback-work.js';
import { messageOf, stopped } from './failure.js';
import { Away } from './away.js';
import { act } from './proxies.js';
import { restoreShard } from './restore-shard.js';
import type { Run } from './run.js';
import { noteComparison } from './validate.js';

interface GoingBack {
  shard: string;
  /** The release to go back to. */
  to: string;
  incident: IncidentRecord;
  /** That it may be restored from: people have approved what that gives up. */
  backup?: RestorePoint;
}

/** One shard to the release that it ran before. Each step is decided on the shard as it is now; a worker may die anywhere. */
export async function fallBackShard(run: Run, { shard: name, to, incident, backup }: GoingBack): Promise<void> {
  const begun = Date.now();
  // One that was interrupted is done by now.
  const earlier = run.record.restores?.find((it) => it.shard === name);
  const done: IncidentRecord['shards'][number] = {
    ...{ shard: name, way: earlier ? 'restored' : 'reverted', ms: 0 },
    nodes: earlier ? 1 + earlier.replicas.length : 0,
    ...(earlier ? { lossWindow: earlier.lossWindow } : {}),
  };
  const status = run.status.shards.find((it) => it.shard === name);
  if (status) status.state = 'in progress';
  let before: string | undefined;
  let removed = false;
  const awaited = new Set<string>();
  const away = new Away(run, name, to);
  try {
    for (;;) {
      await run.checkpoint();
      const { shard, pending, standby, ...seen } = await act('lookBack', `look at ${name}`, {
        ...run.order,
        shard: name,
      });
      const silent = away.tell(seen.away ?? []);
      const next = nextInFallback({
        ...{ shard, to, pending, away: away.untried() },
        ...(standby ? { standby: withLoss(run, standby) } : {}),
        ...(before === undefined ? {} : { before }),
        restore: backup !== undefined,
      });
      if (next === undefined || next.kind === 'remove standby') away.mustBeBack();
      if (next === undefined) break;
      switch (next.kind) {
        case 'cut over':
          done.way = 'cut over';
          before = oldOwner(shard, next.standby, to) ?? silent[0] ?? next.standby;
          try {
            done.cutoverGapMs = await cutOver(run, { shard: name, primary: before, standby: next.standby, to });
          } catch (error) {
            if (run.isControl(error) || !(await servedByAnother(run, name, before))) throw error;
            run.note('note', `${before} has failed, and another serves ${name}: that one is cut over`, { shard: name });
          }
          break;
        case 'restore':
          // Without a backup it is never the next step.
          if (backup) {
            const primary = shard.primary.address;
            done.way = 'restored';
            const { lossWindow, replicas } = await restoreShard(run, { shard: name, primary, to, backup });
            done.lossWindow = lossWindow;
            done.nodes += 1 + replicas.length;
          }
          break;
        case 'return':
          await away.tries(next.node.address, async () => {
            await returnNode(run, { shard: name, node: next.node, primary: shard.primary.address, to });
            done.nodes++;
          });
          break;
        case 'hand over':
          await handBack(run, shard, next.successor.address);
          break;
        case 'release primary':
          await releasePrimary(run, name, shard.primary);
          break;
        case 'await link':
          if (awaited.has(next.node.address))
            throw stopped(
              `${name}: ${next.node.address} does not follow ${shard.primary.address}, and nobody else could take over from it`,
            );
          awaited.add(next.node.address);
          await run.gates.hold(['replication'], `before ${next.node.address} takes ${name} back`, { shard: name });
          break;
        case 'remove standby':
          await removeStandby(run, name, standby);
          removed = true;
          break;
        case 'refused':
          throw stopped(next.reason, undefined, 'StandbyLost');
      }
    }
    // What was known of its nodes as they were before the upgrade is of no use any more.
    if (!removed) await act('removeStandby', `nothing is kept for ${name} any more`, { ...run.order, shard: name });
    if (status) status.state = 'upgraded';
  } catch (error) {
    if (status) status.state = 'stopped';
    if (run.isControl(error)) throw error;
    throw stopped(`${name} did not come back to ${to}: ${messageOf(error)}`, error);
  } finally {
    incident.shards.push({ ...done, ms: Date.now() - begun });
  }
}

/** Of a cutover that an earlier attempt began, whoever is still on the newer release. */
function oldOwner({ primary, replicas }: ShardView, standby: string, to: string): string | undefined {
  const others = [primary, ...replicas].filter((it) => it.address !== standby);
  return (others.find((it) => !satisfies(it.release, to)) ?? others[0])?.address;
}

/** Its primary may have died in the middle of it: whoever took over has what there is. */
async function servedByAnother(run: Run, shard: string, primary: string): Promise<boolean> {
  const now = await act('lookBack', `who serves ${shard} now`, { ...run.order, shard });
  return now.shard.primary.address !== primary;
}

/** What its entry doesn't say yet, its follower may have found a moment ago. */
function withLoss(run: Run, standby: StandbyNow): StandbyNow {
  const lost = standby.lost ?? (standby.state === 'frozen' ? run.followers.lost(standby.shard) : undefined);
  return lost === undefined ? standby : { ...standby, lost };
}

interface CuttingOver {
  shard: string;
  primary: string;
  standby: string;
  to: string;
}

/** The follower runs, and has everything: then writes are held, the rest is given to the standby, and it takes the slots. */
async function cutOver(run: Run, { shard, primary, standby, to }: CuttingOver): Promise<number> {
  const where = { shard, node: standby };
  run.untouched = false;
  run.phase('cutting over', `${shard}: ${primary} → ${standby} on ${to}`, where);
  run.followers.tell({ shard, address: standby, release: to, state: 'frozen' });
  await run.gates.hold(['topology', 'standby'], `before ${shard} is cut over`, { shard });
  const record = await run.step(`cut over to ${standby}`, { ...where, kind: 'handover' }, () =>
    act('cutOver', `${shard}: ${primary} → ${standby}`, { ...run.order, shard, primary, standby }),
  );
  (run.record.cutovers ??= []).push(record);
  run.followers.tell({ shard, address: standby, release: to, state: 'serving' });
  run.note(
    'note',
    `${shard} is served by ${standby} on ${to}; writes were held for ${Math.round(record.gapMs)} ms`,
    where,
  );
  return record.gapMs;
}

interface Returning {
  shard: string;
  node: Pick<NodeView, 'address'> & { release?: string };
  primary: string;
  to: string;
}

async function returnNode(run: Run, { shard, node, primary, to }: Returning): Promise<void> {
  const { address } = node;
  const release = node.release ?? run.node(address)?.release ?? 'unknown';
  const where = { shard, node: address };
  run.phase('falling back', `${address} of ${shard} to ${to}`, where);
  // Whoever is away is brought back by this, and must not hold it; of the rest, one at a time is out.
  await run.gates.hold(['topology'], `before ${address} goes back`, { shard });
  run.untouched = false;
  try {
    const { verified, ...resync } = await run.step(`back to ${to}`, { ...where, kind: 'swap' }, () =>
      act('returnNode', `${address} back to ${to}`, { ...run.order, shard, node: address, primary, to }),
    );
    run.record.resyncs.push({ ...resync, release: to });
    run.record.verify.push(verified);
    noteComparison(run, verified);
    run.record.releases.push({ node: address, before: release, after: to });
    run.family.tellNodes({ addresses: [address], release: to, state: 'reverted' });
  } catch (error) {
    run.family.tellNodes({ addresses: [address], release, state: 'failed' });
    throw error;
  }
}

/** The role goes where it was, by the coordinated failover: both run the same release. */
async function handBack(run: Run, shard: ShardView, successor: string): Promise<void> {
  const { name, primary, replicas } = shard;
  const where = { shard: name, node: successor };
  run.phase('handing over', `${name}: ${primary.address} → ${successor}`, where);
  await run.gates.hold(
    ['topology', 'replication', 'lag'],
    `before ${successor} takes ${name} back`,
    { shard: name },
    { handover: { candidate: successor } },
  );
  const members = [primary, ...replicas].map(({ address }) => address);
  const handover = await withPlaces(run, members, (places) =>
    run.step(`hand over to ${successor}`, { ...where, kind: 'handover' }, () =>
      act('handOver', `${name}: ${primary.address} → ${successor}`, {
        ...{ ...run.order, shard: name, from: primary.address, to: successor, mode: 'safe' as const, places },
        siblings: replicas.map(({ address }) => address).filter((address) => address !== successor),
      }),
    ),
  );
  run.record.handovers.push(handover);
  // The root was told when it came back; a step with it shows it in progress here.
  run.came({ addresses: [successor], release: primary.release, state: 'reverted' });
}

/** Nothing stays beside the nodes: the standby is about to go, and the others have nothing done to them any more. */
async function withPlaces<T>(run: Run, nodes: string[], body: (places: NodePlace[]) => Promise<T>): Promise<T> {
  run.untouched = false;
  const places = await act('prepareShard', `prepare ${nodes.join(', ')}`, { ...run.order, nodes });
  try {
    return await body(places);
  } finally {
    await act('putBackShard', `put back ${nodes.join(', ')}`, { ...run.order, places }).catch(() => undefined);
  }
}

/** It was isolated for an upgrade that went no further. */
async function releasePrimary(run: Run, shard: string, { address, release }: NodeView): Promise<void> {
  const where = { shard, node: address };
  await withPlaces(run, [address], async ([place]) => {
    if (!place) throw stopped(`${address} was not found where ${shard} lives`);
    await run.step('release', where, () => act('release', `release ${address}`, { ...run.order, place }));
  });
  run.came({ addresses: [address], release, state: 'reverted' });
}

async function removeStandby(run: Run, shard: string, standby: StandbyNow | undefined): Promise<void> {
  const { address = '', release = '' } = standby ?? {};
  run.followers.tell({ shard, address, release, state: 'removed' });
  await run.step('remove standby', { shard }, () =>
    act('removeStandby', `remove the standby of ${shard}`, { ...run.order, shard }),
  );
}
