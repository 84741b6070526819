import { formatDuration, formatMoment, formatSize } from '../duration.js';
import { nameRelease } from '../release.js';
import type { Projection } from './capacity.js';
import type { AssessmentDocument } from './document.js';

export type Block = { text: string } | { head: string[]; rows: string[][] };

/** One part of the document, in whatever form it is shown. */
export interface Section {
  title: string;
  blocks: Block[];
}

/** The verdict in one sentence. */
export function verdictOf({ findings, from, to, deployment }: AssessmentDocument): string {
  const count = (severity: string): number => findings.filter((it) => it.severity === severity).length;
  const [blockers, actions, notes] = [count('blocker'), count('action'), count('note')];
  const way = `${deployment}, ${nameRelease(from)} to ${nameRelease(to)}`;
  const found = `${many(blockers, 'blocker')}, ${many(actions, 'action')}, ${many(notes, 'note')}`;
  return blockers === 0 ? `${way}: nothing blocks the upgrade (${found}).` : `${way}: not yet (${found}).`;
}

const many = (count: number, what: string): string => `${count} ${count === 1 ? what : `${what}s`}`;

/** The whole document in order: what speaks against it first, the figures last. */
export function sectionsOf(document: AssessmentDocument): Section[] {
  const { findings, unseen, risks, about } = document;
  return [
    { title: 'Proposal', blocks: proposal(document) },
    {
      title: 'Findings',
      blocks:
        findings.length === 0
          ? [{ text: 'Nothing of the deployment’s own stands in the way.' }]
          : [
              {
                head: ['', 'about', 'what', 'what to do', 'concerns', 'source'],
                rows: findings.map((it) => [
                  it.severity,
                  `${it.area}: ${it.subject}`,
                  it.text,
                  it.next,
                  it.concerns.join(', '),
                  it.source ?? 'measured',
                ]),
              },
            ],
    },
    {
      title: 'Not seen',
      blocks:
        unseen.length === 0
          ? [{ text: 'Everything that was asked for was shown.' }]
          : [
              { text: 'This was not shown, and is therefore neither good nor bad.' },
              {
                head: ['what', 'where', 'why', 'not looked at'],
                rows: unseen.map(({ what, nodes, why, left }) => [what, nodes.join(', '), why, left]),
              },
            ],
    },
    ...(risks.length === 0
      ? []
      : [
          {
            title: 'Risks',
            blocks: [{ head: ['risk', 'mitigation'], rows: risks.map((it) => [it.risk, it.mitigation]) }],
          },
        ]),
    { title: 'Plan', blocks: planBlocks(document) },
    { title: 'Way back', blocks: wayBack(document) },
    { title: 'Capacity', blocks: capacityBlocks(document) },
    { title: 'Who uses it', blocks: useBlocks(document) },
    { title: 'Data', blocks: dataBlocks(document) },
    ...(document.configuration.length === 0
      ? []
      : [
          {
            title: 'Configuration',
            blocks: [
              {
                head: ['', 'directive', 'before', 'at the target'],
                rows: document.configuration.map((it) => [it.kind, it.directive, it.before ?? '', it.after ?? '']),
              },
            ],
          },
        ]),
    ...(about.length === 0
      ? []
      : [
          {
            title: 'On the way',
            blocks: [{ head: ['release', 'what', 'source'], rows: about.map((it) => [it.line, it.text, it.source]) }],
          },
        ]),
  ];
}

function proposal(document: AssessmentDocument): Block[] {
  const { nodes, shards, way, observed, startedBy, startedAt } = document;
  const stops = way.length > 1 ? ` by way of ${way.slice(0, -1).join(', ')}` : '';
  const over =
    observed.overMs > 0
      ? `Its use was observed for ${formatDuration(observed.overMs)}, ${observed.looks} times.`
      : 'Its use is what the servers counted since each of them started.';
  return [
    { text: verdictOf(document) },
    {
      text: `Upgrade ${nodes} nodes in ${many(shards.length, 'shard')} to ${nameRelease(document.to)}${stops}, expected to take ${formatDuration(document.expectedMs)} with soaks and without people's time.`,
    },
    { text: `Assessed by ${startedBy} at ${formatMoment(startedAt)} (${document.assessment}), read-only. ${over}` },
  ];
}

function planBlocks({ phases, cost, approvals }: AssessmentDocument): Block[] {
  return [
    {
      head: ['phase', 'what', 'earliest', 'takes', 'memory', 'disk', 'nodes', 'asked first'],
      rows: phases.map((it) => [
        it.name,
        it.what,
        formatMoment(it.earliest),
        formatDuration(it.expectedMs),
        formatSize(it.memoryBytes),
        formatSize(it.diskBytes),
        it.extraNodes === 0 ? '' : `+${it.extraNodes}`,
        it.approval ?? '',
      ]),
    },
    {
      text: 'Memory and disk come on top of what is in use, over all machines, at the most: while a node saves, what is written meanwhile is there twice.',
    },
    ...(cost === undefined
      ? []
      : [
          {
            text: `The standbys’ memory costs about ${cost.amount.toFixed(2)} ${cost.currency} until the soak is over.`,
          },
        ]),
    ...(approvals.length === 0
      ? []
      : [
          {
            head: ['approval', 'roles', 'quorum'],
            rows: approvals.map((it) => [it.approval, it.roles.join(', '), String(it.quorum)]),
          },
        ]),
  ];
}

function wayBack({ fallback, notes }: AssessmentDocument): Block[] {
  return [
    ...(fallback ? [{ text: `${fallback.class} (policy.fallback: ${fallback.policy}): ${fallback.reason}.` }] : []),
    ...notes.map((text) => ({ text })),
  ];
}

function capacityBlocks({ capacity }: AssessmentDocument): Block[] {
  const { projections, records, overMs } = capacity;
  if (projections.length === 0)
    return [
      {
        text: `${many(records, 'assessment')} over ${formatDuration(overMs)}: growth is known once there are two, a day or more apart.`,
      },
    ];
  return [
    { text: `By ${many(records, 'assessment')} over ${formatDuration(overMs)}.` },
    { head: ['of', 'now', 'limit', 'a day', 'runs out'], rows: projections.map(projectionRow) },
  ];
}

function projectionRow({ what, now, limit, growth, runsOut }: Projection): string[] {
  const size = (value: number): string =>
    what.startsWith('memory') ? formatSize(Math.round(value)) : String(Math.round(value));
  const change = growth < 0 ? `−${size(-growth)}` : `+${size(growth)}`;
  return [what, size(now), limit === undefined ? 'none' : size(limit), change, runsOut?.slice(0, 10) ?? 'not in sight'];
}

function useBlocks({ applications, commands }: AssessmentDocument): Block[] {
  return [
    {
      head: ['application', 'connections', 'library', 'users', 'commands', 'keys', 'hosts'],
      rows: applications.map((it) => [
        it.name,
        String(it.connections),
        it.libraries.join(', '),
        it.users.join(', '),
        it.commands.join(', '),
        it.patterns.join(', '),
        it.hosts.join(', '),
      ]),
    },
    {
      head: ['command', 'calls', 'while observed'],
      rows: commands.map((it) => [it.name, it.calls.toLocaleString('en'), it.during?.toLocaleString('en') ?? '']),
    },
  ];
}

function dataBlocks({ keys }: AssessmentDocument): Block[] {
  const share = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${((100 * count) / Math.max(1, keys.looked)).toFixed(1)} %`)
      .join(', ');
  const notable = [
    ...keys.big.map((it) => [
      'big',
      it.shard,
      it.key,
      it.type,
      formatSize(it.bytes),
      it.length?.toLocaleString('en') ?? '',
    ]),
    ...keys.hot.map((it) => [
      'hot',
      it.shard,
      it.key,
      it.type,
      formatSize(it.bytes),
      `used ${it.frequency ?? 0} of 255`,
    ]),
  ];
  return [
    {
      text: `${keys.looked.toLocaleString('en')} of ${keys.keys.toLocaleString('en')} keys were looked at: ${formatSize(Math.round(keys.meanBytes))} each on average, ${(100 * keys.expiringShare).toFixed(1)} % expire.`,
    },
    { text: `Types: ${share(keys.types)}. Encodings: ${share(keys.encodings)}.` },
    {
      head: ['keys like', 'looked at', 'memory'],
      rows: keys.patterns.map((it) => [it.pattern, it.keys.toLocaleString('en'), formatSize(it.bytes)]),
    },
    ...(notable.length === 0 ? [] : [{ head: ['', 'shard', 'key', 'type', 'memory', 'length'], rows: notable }]),
  ];
}
