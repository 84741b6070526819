import type { Deployment } from '../deployment.js';
import type { FallbackOutlook } from '../fallback-class.js';
import { stepsBetween } from '../knowledge/steps.js';
import { hopsOf, type Plan } from '../plan.js';
import { allNodes, type TopologyView } from '../topology.js';
import type { Capacity } from './capacity.js';
import { findingsOf } from './findings/findings.js';
import type { Evidence } from './findings/evidence.js';
import { settingChanges, type SettingChange } from './findings/setting-findings.js';
import type { Finding } from './finding.js';
import { costOf, phasesOf, type Phase, type Price } from './phases.js';
import type { LoadShape } from '../load-shape.js';
import { loadOf } from './load.js';
import type { NotableKey } from './survey.js';
import { together, type Unseen } from './unseen.js';
import type { Application, CommandUse } from './usage.js';

export interface KeySummary {
  keys: number;
  looked: number;
  expiringShare: number;
  meanBytes: number;
  types: Readonly<Record<string, number>>;
  encodings: Readonly<Record<string, number>>;
  /** Patterns of names, those with the most bytes first. */
  patterns: { pattern: string; keys: number; bytes: number }[];
  big: (NotableKey & { shard: string })[];
  hot: (NotableKey & { shard: string })[];
}

/** The proposal of an upgrade: everything that a change request wants to know, and nothing secret. */
export interface AssessmentDocument {
  format: 1;
  assessment: string;
  deployment: string;
  startedBy: string;
  startedAt: string;
  endedAt: string;
  from: string;
  to: string;
  /** Exact releases of the whole way, the target last. */
  way: string[];
  nodes: number;
  shards: { shard: string; primary: string; replicas: string[]; keys: number; bytes: number }[];
  observed: { from: string; overMs: number; looks: number; monitorMs: number };
  findings: Finding[];
  unseen: Unseen[];
  risks: { risk: string; mitigation: string }[];
  notes: string[];
  about: { line: string; text: string; source: string }[];
  fallback?: FallbackOutlook & { policy: string };
  phases: Phase[];
  expectedMs: number;
  cost?: { amount: number; currency: string };
  approvals: Plan['approvals'];
  capacity: Capacity;
  commands: CommandUse[];
  applications: Application[];
  keys: KeySummary;
  configuration: SettingChange[];
  /** What staging plays; absent where it was not observed over time. */
  load?: LoadShape;
}

/** Of lists that grow with a deployment: the document is one message of Temporal's, 256 kB at the most without a warning. */
const MOST = { commands: 100, applications: 100, patterns: 40, notable: 20, concerns: 20 } as const;

export interface DocumentInput {
  assessment: string;
  startedBy: string;
  startedAt: string;
  endedAt: string;
  deployment: Pick<Deployment, 'name' | 'policy'>;
  topology: TopologyView;
  way: string[];
  plan: Plan;
  evidence: Evidence;
  capacity: Capacity;
  monitorMs: number;
  price?: Price;
}

export function documentOf(input: DocumentInput): AssessmentDocument {
  const { deployment, topology, plan, evidence, capacity, way, price } = input;
  const { usage, survey, from, to } = evidence;
  const load = loadOf(evidence);
  const phases = phasesOf(plan, deployment.policy, Date.parse(input.endedAt));
  const warnings = hopsOf(plan).flatMap((hop) => hop.warnings);
  const said = (severity: string) =>
    [...new Map(warnings.filter((it) => it.severity === severity).map((it) => [it.text, it])).values()].filter(
      // A finding of its own, with the nodes and commands that it is about.
      ({ subject }) => !subject.startsWith('module '),
    );
  return {
    format: 1,
    assessment: input.assessment,
    deployment: deployment.name,
    startedBy: input.startedBy,
    startedAt: input.startedAt,
    endedAt: input.endedAt,
    from,
    to,
    way,
    nodes: allNodes(topology).length,
    shards: topology.shards.map(({ name, primary, replicas }) => ({
      shard: name,
      primary: primary.address,
      replicas: replicas.map(({ address }) => address),
      keys: primary.keys,
      bytes: primary.usedMemoryBytes,
    })),
    observed: { from: usage.from, overMs: usage.overMs, looks: usage.looks, monitorMs: input.monitorMs },
    findings: findingsOf(evidence, plan).map((it) => ({ ...it, concerns: firstOf(it.concerns, MOST.concerns) })),
    unseen: together([...survey.unseen, ...notShown(evidence)]),
    risks: said('warning').map(({ text, next }) => ({ risk: text, mitigation: next ?? '' })),
    notes: said('note').map(({ text, next }) => (next === undefined ? text : `${text} ${next}`)),
    about: stepsBetween(from, to).flatMap(({ line, about }) => about.map((it) => ({ line, ...it }))),
    ...(plan.fallback ? { fallback: plan.fallback } : {}),
    phases,
    expectedMs: phases.reduce((ms, it) => ms + it.expectedMs, 0),
    ...(price ? { cost: costOf(phases, price) } : {}),
    approvals: hopsOf(plan).flatMap(({ approvals }) => approvals),
    capacity,
    commands: usage.commands.slice(0, MOST.commands),
    applications: usage.applications.slice(0, MOST.applications),
    keys: keySummary(evidence),
    configuration: settingChanges(evidence),
    ...(load ? { load } : {}),
  };
}

/** What no release shows, or this one doesn't. */
function notShown({ survey, usage, scripts, libraries, from }: Evidence): Unseen[] {
  const cached = Math.max(0, ...survey.settings.map(({ cachedScripts }) => cachedScripts));
  const silent = usage.applications.filter(
    ({ name, libraries: told }) => told.length === 0 && !libraries.some((it) => it.application === name),
  );
  const partly = survey.keys.filter(({ looked, keys }) => looked < keys);
  return [
    ...(cached > scripts.length
      ? [
          {
            what: 'scripts',
            nodes: [],
            why: `a server has ${cached} in its cache, which no release lists, and ${scripts.length} were given (--scripts)`,
            left: 'whether the others run on the target',
          },
        ]
      : []),
    ...(silent.length === 0
      ? []
      : [
          {
            what: 'client libraries',
            nodes: [],
            why: `${silent
              .map(({ name }) => name)
              .slice(0, 10)
              .join(
                ', ',
              )} did not tell theirs (CLIENT SETINFO, from 7.2 on; here ${from} runs), and nobody named it (--library)`,
            left: 'known faults of these libraries',
          },
        ]),
    ...(survey.keys.length > 0 && survey.keys.every(({ hot }) => hot.length === 0)
      ? [
          {
            what: 'hot keys',
            nodes: [],
            why: 'servers count how often a key is used under an LFU policy only (maxmemory-policy)',
            left: 'which keys most of the load is on',
          },
        ]
      : []),
    ...partly.map(({ shard, looked, keys }) => ({
      what: `keys of ${shard}`,
      nodes: [],
      why: `${looked.toLocaleString('en')} of ${keys.toLocaleString('en')} were looked at (--sample)`,
      left: 'big keys among the others',
    })),
  ];
}

function keySummary({ survey }: Evidence): KeySummary {
  const total = <T>(pick: (it: (typeof survey.keys)[number]) => T, plus: (sum: number, it: T) => number): number =>
    survey.keys.reduce((sum, it) => plus(sum, pick(it)), 0);
  const looked = total(
    (it) => it.looked,
    (a, b) => a + b,
  );
  const add = (into: Record<string, number>, name: string, count: number): void => {
    into[name] = (into[name] ?? 0) + count;
  };
  const [types, encodings]: Record<string, number>[] = [{}, {}];
  const patterns = new Map<string, { pattern: string; keys: number; bytes: number }>();
  for (const it of survey.keys) {
    for (const [type, { keys }] of Object.entries(it.types)) add(types ?? {}, type, keys);
    for (const [encoding, keys] of Object.entries(it.encodings)) add(encodings ?? {}, encoding, keys);
    for (const [pattern, { keys, bytes }] of Object.entries(it.patterns)) {
      const known = patterns.get(pattern) ?? { pattern, keys: 0, bytes: 0 };
      patterns.set(pattern, { pattern, keys: known.keys + keys, bytes: known.bytes + bytes });
    }
  }
  const notable = (pick: 'big' | 'hot', size: (key: NotableKey) => number) =>
    survey.keys
      .flatMap((it) => it[pick].map((key) => ({ ...key, shard: it.shard })))
      .sort((a, b) => size(b) - size(a))
      .slice(0, MOST.notable);
  return {
    keys: total(
      (it) => it.keys,
      (a, b) => a + b,
    ),
    looked,
    expiringShare:
      looked === 0
        ? 0
        : total(
            (it) => it.expiring,
            (a, b) => a + b,
          ) / looked,
    meanBytes:
      looked === 0
        ? 0
        : total(
            (it) => it.bytes,
            (a, b) => a + b,
          ) / looked,
    types: types ?? {},
    encodings: encodings ?? {},
    patterns: [...patterns.values()].sort((a, b) => b.bytes - a.bytes).slice(0, MOST.patterns),
    big: notable('big', ({ bytes }) => bytes),
    hot: notable('hot', ({ frequency }) => frequency ?? 0),
  };
}

const firstOf = (names: readonly string[], most: number): string[] =>
  names.length > most ? [...names.slice(0, most), `and ${names.length - most} more`] : [...names];
