import type { Policy } from './policy.js';
import type { FallbackOutlook } from './fallback-class.js';
import type { Verdict } from './verdict.js';

/** One durable step of a shard, in order. */
export interface PlanStep {
  kind:
    | 'add standby'
    | 'upgrade replica'
    | 'approval'
    | 'freeze standby'
    | 'handover'
    | 'upgrade primary'
    | 'canary soak'
    | 'verify';
  shard: string;
  /** Node concerned; of a handover, the successor as it would be chosen now. */
  node?: string;
  from?: string;
  to?: string;
  /** What it waits for before it begins, in words. */
  waitsFor: string[];
  /** Healthy copies of the shard's data while it runs, the primary included: `2 → 1`. */
  copiesDuring: number;
  /** Expected time without people, ms. */
  expectedMs: number;
}

export interface PlanWarning {
  severity: 'blocker' | 'warning' | 'note';
  subject: string;
  text: string;
  /** What to do. */
  next?: string;
}

export interface ShardPlan {
  shard: string;
  slots: string;
  primary: string;
  replicas: string[];
  keys: number;
  bytes: number;
  /** repl-backlog-size for the time of the upgrade, where the running one is too small. */
  backlogBytes?: number;
  /** Of policy.fallback standby: its release, and what it takes on the machine of the primary, bytes. */
  standby?: { release: string; memoryBytes: number; diskBytes: number };
  steps: PlanStep[];
}

/** The maintenance window that is, or the next, and whether the whole upgrade fits into what is left of it. */
export interface WindowOutlook {
  /** ISO 8601 in UTC. */
  opens: string;
  /** Absent where nothing ends it. */
  closes?: string;
  timezone: string;
  isOpen: boolean;
  /** From the first node to the last, ms, without people's time. */
  neededMs: number;
  fits: boolean;
  /** Of policy.freeze, what is and what comes within the next weeks. */
  frozen?: { from: string; until: string; reason: string }[];
}

/** What `rollout plan` prints and the `plan` query answers. Nothing in it was touched. */
export interface Plan {
  deployment: string;
  from: string;
  to: string;
  /** Releases in between, where one step can't be: `['7.0']`. */
  hops: string[];
  nodes: number;
  shards: ShardPlan[];
  parallelShards: number;
  /** What is tried first, and why there; absent once any node runs the target. */
  canary?: { shard: string; node: string; reason: string };
  /** Without people's time, soaks included, ms. */
  expectedMs: number;
  gates: { gate: string; verdict: Verdict }[];
  warnings: PlanWarning[];
  approvals: { approval: string; roles: string[]; quorum: number }[];
  /** What it could be taken back with until finalize, and what that would lose. */
  fallback?: FallbackOutlook & { policy: Policy['fallback'] };
  /** Where the policy has maintenance windows and whoever reads the plan knows what time it is. */
  window?: WindowOutlook;
  /** Of a way in several hops: the plan of the next, on the cluster as this one is going to leave it. */
  then?: Plan;
}

/** The plan of every hop of a way, in order; one where one step does. */
export const hopsOf = (plan: Plan): Plan[] => [plan, ...(plan.then ? hopsOf(plan.then) : [])];

/** What keeps a plan from being carried out, whichever hop it is about. */
export const blockersOf = (plan: Plan): PlanWarning[] =>
  hopsOf(plan).flatMap(({ warnings }) => warnings.filter(({ severity }) => severity === 'blocker'));
