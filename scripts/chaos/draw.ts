import { oneStep } from '../../model/compatibility/upgrade-path.js';
import { Random } from './random.js';
import type { Fault, FaultKind, Moment, Scenario, StepName, Target, WorkerMoment } from './scenario.js';

/** One release of each line that set-up brings, oldest first. */
export const releases = ['5.0', '6.0', '6.2', '7.0', '7.2', '7.4', '8.0', '8.2', 'valkey-8.1', 'valkey-9.1'] as const;

/** Lines whose servers were built without TLS, as set-up brings them. */
const withoutTls: readonly string[] = ['5.0', '6.2', '8.2'];

/** What can be upgraded in one step, by what the product itself knows. */
export const pairs: readonly (readonly [from: string, to: string])[] = releases.flatMap((from) =>
  releases.filter((to) => oneStep(`${from}.0`, to).length === 0).map((to) => [from, to] as const),
);

/** Draws what one run does, from the seed and its number alone. @param options.small three shards of two, one fault */
export function drawScenario(seed: number, run: number, { small = false }: { small?: boolean } = {}): Scenario {
  const random = new Random(seed, run);
  const [from, to] = random.oneOf(pairs);
  const drawn = { primaries: random.chance(0.75) ? 3 : 4, replicasEach: random.chance(0.65) ? 1 : 2 };
  const shape = small ? { primaries: 3, replicasEach: 1 } : drawn;
  const mayTls = !withoutTls.includes(from) && !withoutTls.includes(to);
  const access = random.chance(0.7) ? 'open' : mayTls && random.chance(0.6) ? 'tls' : 'password';
  return {
    seed,
    run,
    ...(small ? { small } : {}),
    from,
    to,
    ...shape,
    access,
    persistence: random.chance(0.4) ? 'appendonly' : 'none',
    keys: random.between(1, small ? 1 : 8) * 100,
    load: { probe: random.between(5, 25), writes: random.between(5, 20) * 10 },
    policy: {
      handover: random.oneOf(['safe', 'fast']),
      parallelShards: small ? 3 : random.between(1, 3),
      canarySoakMs: small ? 0 : random.between(0, 2) * 500,
      soakMs: small ? 0 : random.between(0, 2) * 500,
    },
    faults: drawFaults(random, shape, small ? 1 : random.between(1, 3)),
  };
}

type Shape = Pick<Scenario, 'primaries' | 'replicasEach'>;

/** How often a step comes in an upgrade that nothing disturbs. */
const timesOf: Readonly<Record<StepName, (shape: Shape) => number>> = (() => {
  const eachNode = ({ primaries, replicasEach }: Shape): number => primaries * (1 + replicasEach);
  const eachShard = ({ primaries }: Shape): number => primaries;
  const once = (): number => 1;
  return {
    prepare: eachShard,
    'back up': eachShard,
    isolate: eachNode,
    save: eachNode,
    start: eachNode,
    rejoin: eachNode,
    verify: eachNode,
    release: eachNode,
    'hand over': eachShard,
    canary: once,
    soaking: once,
  };
})();

const allSteps = Object.keys(timesOf) as StepName[];
/** Those whose entry of the timeline names a node and a shard. */
const nodeSteps: readonly StepName[] = ['isolate', 'save', 'start', 'rejoin', 'verify', 'release', 'hand over'];

/** Activities that every upgrade has for each node. Those of a primary's handover come for nodes 0 to primaries − 1. */
const ofEachNode = ['prepareShard', 'isolate', 'snapshot', 'swapVersion', 'rejoin', 'verifyNode', 'release'] as const;
const ofPrimaries = ['handOver'] as const;
const ofNoNode = ['assess', 'checkGates', 'backUpShard', 'completeBackup', 'readShard', 'putBackShard', 'runProbe', 'readLedger'] as const; // prettier-ignore

function drawWorkerMoment(random: Random, { primaries, replicasEach }: Shape): WorkerMoment {
  const when = random.oneOf(['before', 'during', 'after'] as const);
  const touch = random.between(1, 12);
  const activity = random.oneOf([...ofEachNode, ...ofEachNode, ...ofPrimaries, ...ofPrimaries, ...ofNoNode]);
  const nodes = (ofPrimaries as readonly string[]).includes(activity) ? primaries : primaries * (1 + replicasEach);
  const about = (ofNoNode as readonly string[]).includes(activity) ? {} : { node: random.between(0, nodes - 1) };
  return { activity, when, ...about, touch };
}

function drawMoment(random: Random, shape: Shape, steps: readonly StepName[] = allSteps): Moment {
  const step = random.oneOf(steps);
  return { step, nth: random.between(1, timesOf[step](shape)), edge: random.oneOf(['begins', 'ends']) };
}

const draws: Readonly<Record<FaultKind, (random: Random, shape: Shape) => Fault>> = {
  'worker killed': (random, shape) => ({ kind: 'worker killed', ...drawWorkerMoment(random, shape) }),
  'worker hung': (random, shape) => ({ kind: 'worker hung', ...drawWorkerMoment(random, shape) }),
  'Temporal restarted': (random, shape) => ({ kind: 'Temporal restarted', at: drawMoment(random, shape) }),
  'node killed': (random, shape) => ({
    kind: 'node killed',
    at: drawMoment(random, shape, nodeSteps),
    who: random.oneOf<Target>(['node in hand', 'its primary', 'another primary', 'another replica']),
    awayMs: random.oneOf([300, 3000, 12_000]),
  }),
  'node hung': (random, shape) => ({
    kind: 'node hung',
    at: drawMoment(random, shape, nodeSteps),
    who: random.oneOf<Target>(['node in hand', 'its primary', 'another primary', 'another replica']),
    forMs: random.oneOf([800, 2500, 9000]),
  }),
  'node slow': (random, shape) => ({
    kind: 'node slow',
    at: drawMoment(random, shape, nodeSteps),
    who: random.oneOf<Target>(['node in hand', 'another replica']),
    forMs: random.oneOf([3000, 8000]),
  }),
  'failover by somebody else': (random, shape) => ({
    kind: 'failover by somebody else',
    at: drawMoment(random, shape, nodeSteps),
  }),
  pause: (random, shape) => ({ kind: 'pause', at: drawMoment(random, shape), forMs: random.oneOf([500, 4000]) }),
  abort: (random, shape) => ({ kind: 'abort', at: drawMoment(random, shape) }),
  'new version fails once': (random, shape) => ({
    kind: 'new version fails once',
    nth: random.between(1, timesOf.start(shape)),
  }),
  'backlog overrun': () => ({ kind: 'backlog overrun' }),
};

/** Each of another kind; the worker's death may come twice. */
function drawFaults(random: Random, shape: Shape, count: number): Fault[] {
  const kinds = Object.keys(draws) as FaultKind[];
  const faults: Fault[] = [];
  while (faults.length < count) {
    const kind = random.oneOf(kinds);
    if (faults.some((it) => it.kind === kind) && kind !== 'worker killed') continue;
    faults.push(draws[kind](random, shape));
  }
  return faults;
}
