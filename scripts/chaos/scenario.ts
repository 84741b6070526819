import type { Activities } from '../../model/work.js';

/** What one run does: drawn from (seed, run) alone, and enough to do it again. Times are ms. */
export interface Scenario {
  seed: number;
  run: number;
  /** Drawn with `--small`. */
  small?: true;
  from: string;
  to: string;
  primaries: number;
  replicasEach: number;
  /** `tls` has a password, too. */
  access: 'open' | 'password' | 'tls';
  /** Every write on disk before it is acknowledged, or nothing on disk at all. */
  persistence: 'none' | 'appendonly';
  /** Keys that are there before. */
  keys: number;
  /** Operations a second of each of the product's probe clients, and of all lanes of the chaos writer. */
  load: { probe: number; writes: number };
  policy: { handover: 'safe' | 'fast'; parallelShards: number; canarySoakMs: number; soakMs: number };
  faults: Fault[];
}

/** Steps of an upgrade as its timeline calls them. `start` is the new version's start. */
export type StepName =
  | 'prepare'
  | 'back up'
  | 'isolate'
  | 'save'
  | 'start'
  | 'rejoin'
  | 'verify'
  | 'release'
  | 'hand over'
  | 'canary'
  | 'soaking';

/** A point of the upgrade: the nth time that a step begins or ends, counted over all starts of the run. */
export interface Moment {
  step: StepName;
  nth: number;
  edge: 'begins' | 'ends';
}

/** What befalls the worker at an activity (`worker-faults.ts` of the sandbox). */
export interface WorkerMoment {
  activity: keyof Activities;
  when: 'before' | 'during' | 'after';
  /** The node that the activity is about, by its place in the sandbox; absent where it is about none. */
  node?: number;
  /** For `during`: before the how manieth thing that it does to the world. */
  touch: number;
}

/** Whom a fault of a node hits, seen from the moment's step. */
export type Target = 'node in hand' | 'its primary' | 'another primary' | 'another replica';

export type Fault =
  | ({ kind: 'worker killed' } & WorkerMoment)
  /** It hangs, another takes over, and then it wakes: a zombie whose lease is gone. */
  | ({ kind: 'worker hung' } & WorkerMoment)
  | { kind: 'Temporal restarted'; at: Moment }
  | { kind: 'node killed'; at: Moment; who: Target; awayMs: number }
  | { kind: 'node hung'; at: Moment; who: Target; forMs: number }
  | { kind: 'node slow'; at: Moment; who: Target; forMs: number }
  | { kind: 'failover by somebody else'; at: Moment }
  | { kind: 'pause'; at: Moment; forMs: number }
  | { kind: 'abort'; at: Moment }
  /** The nth start of the new version ends at once. */
  | { kind: 'new version fails once'; nth: number }
  /** The smallest backlog, not to be grown, under values that overrun it while a node restarts. */
  | { kind: 'backlog overrun' };

export type FaultKind = Fault['kind'];

const momentText = ({ step, nth, edge }: Moment): string => `when ${step} #${nth} ${edge}`;

/** A fault in a few words, for a table. */
export function faultText(fault: Fault): string {
  switch (fault.kind) {
    case 'worker killed':
    case 'worker hung': {
      const about = fault.node === undefined ? '' : ` of node ${fault.node}`;
      return `${fault.kind} ${fault.when} ${fault.activity}${about}${fault.when === 'during' ? ` (touch ${fault.touch})` : ''}`;
    }
    case 'node killed':
      return `${fault.who} killed for ${fault.awayMs} ms ${momentText(fault.at)}`;
    case 'node hung':
    case 'node slow':
      return `${fault.who} ${fault.kind.slice(5)} for ${fault.forMs} ms ${momentText(fault.at)}`;
    case 'pause':
      return `pause of ${fault.forMs} ms ${momentText(fault.at)}`;
    case 'new version fails once':
      return `start #${fault.nth} of the new version fails`;
    case 'backlog overrun':
      return fault.kind;
    default:
      return `${fault.kind} ${momentText(fault.at)}`;
  }
}

/** A scenario in one line. */
export const scenarioText = (it: Scenario): string =>
  [
    `${it.from} → ${it.to}`,
    `${it.primaries}×${1 + it.replicasEach}`,
    it.policy.handover,
    ...(it.policy.parallelShards > 1 ? [`${it.policy.parallelShards} shards at once`] : []),
    ...(it.access === 'open' ? [] : [it.access]),
    ...(it.persistence === 'none' ? [] : [it.persistence]),
    ...it.faults.map(faultText),
  ].join(', ');

/** What does all of it again. */
export const reproduce = ({ seed, run, small }: Pick<Scenario, 'seed' | 'run' | 'small'>): string =>
  `npm run chaos -- --seed ${seed} --only ${run}${small ? ' --small' : ''}`;
