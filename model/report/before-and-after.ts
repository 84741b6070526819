import type { ConfigurationDifference } from '../evidence.js';
import type { ReportData } from '../report.js';
import { html, type Markup } from './html.js';
import { section } from './people-and-gates.js';
import { count } from './quantities.js';
import { sign, table, type Sign } from './table.js';

/** Which release each node ran, and runs; one line a node, however often it was changed. */
export function versionsSection({ releases, status }: ReportData): Markup {
  const changes = new Map<string, { before: string; after: string; between: string[] }>();
  for (const { node, before, after } of releases) {
    const known = changes.get(node);
    changes.set(
      node,
      known ? { ...known, after, between: [...known.between, known.after] } : { before, after, between: [] },
    );
  }
  const shardOf = new Map(
    status.shards.flatMap(({ shard, nodes }) => nodes.map((node) => [node.address, { shard, node }])),
  );
  return section('versions', 'Versions', [
    table({
      caption: 'Release of every node before and after, read from the node itself',
      empty: 'No node has been changed yet.',
      sortable: true,
      columns: [
        { head: 'Node', code: true },
        { head: 'Shard' },
        { head: 'Role now' },
        { head: 'Before' },
        { head: 'After' },
        { head: 'State' },
      ],
      rows: [...changes].map(([node, { before, after, between }]) => {
        const there = shardOf.get(node);
        const state = there?.node.state;
        return [
          node,
          there?.shard,
          there?.node.role,
          before,
          [
            before === after ? html`<span class="muted">${after}</span>` : html`<strong>${after}</strong>`,
            between.length > 0 && html`<br /><span class="muted">by way of ${between.join(', ')}</span>`,
          ],
          state === undefined
            ? ''
            : sign(
                (
                  {
                    upgraded: 'good',
                    failed: 'bad',
                    reverted: 'caution',
                    waiting: 'plain',
                    'in progress': 'wait',
                  } as const
                )[state],
                state,
              ),
        ];
      }),
    }),
  ]);
}

const kinds: Record<ConfigurationDifference['kind'], { sign: Sign; explained: string }> = {
  changed: {
    sign: 'bad',
    explained: 'No version explains it: somebody or something changed it. Nothing should stand here.',
  },
  removed: { sign: 'plain', explained: 'The new version has no such directive any more.' },
  renamed: { sign: 'plain', explained: 'The new version has it under another name, with the same value.' },
  added: { sign: 'plain', explained: 'The new version brings it, with its own default.' },
};

/** One line a directive, with the nodes that it concerns: six nodes that gain the same default are one fact. */
export function configurationSection({ configuration }: ReportData): Markup {
  const groups = new Map<string, { difference: ConfigurationDifference; nodes: string[] }>();
  for (const difference of configuration) {
    const { kind, directive, before, after, note } = difference;
    const key = JSON.stringify([kind, directive, before, after, note]);
    const there = groups.get(key);
    if (there) there.nodes.push(difference.node);
    else groups.set(key, { difference, nodes: [difference.node] });
  }
  const all = [...groups.values()];
  const everyNode = new Set(configuration.map((c) => c.node)).size;
  const tableOf = (kind: ConfigurationDifference['kind']): Markup => {
    const rows = all.filter(({ difference }) => difference.kind === kind);
    const listing = table({
      caption: `${kind[0]?.toUpperCase() ?? ''}${kind.slice(1)}: ${kinds[kind].explained}`,
      empty: '',
      unfolded: true,
      columns: [
        { head: 'Directive', code: true },
        { head: 'Before', code: true },
        { head: 'After', code: true },
        { head: 'Nodes' },
        { head: 'Note' },
      ],
      rows: rows.map(({ difference: { directive, before, after, note }, nodes }) => [
        kind === 'changed' ? sign('bad', directive) : directive,
        before ?? html`<span class="muted">not there</span>`,
        after ?? html`<span class="muted">not there</span>`,
        nodes.length === everyNode
          ? `all ${everyNode} compared`
          : nodes.length > 4
            ? `${nodes.slice(0, 4).join(', ')} and ${nodes.length - 4} more`
            : nodes.join(', '),
        note,
      ]),
    });
    return kind === 'changed' || rows.length <= 8
      ? listing
      : html`<details class="fold-out" id="directives-${kind}">
          <summary>${count(rows.length)} directives ${kind}. ${kinds[kind].explained}</summary>
          ${listing}
        </details>`;
  };
  const changed = all.some(({ difference }) => difference.kind === 'changed');
  const present = (['changed', 'renamed', 'removed', 'added'] as const).filter((kind) =>
    all.some(({ difference }) => difference.kind === kind),
  );
  return section('configuration', 'Configuration', [
    !changed &&
      html`<p>
        ${sign(configuration.length > 0 ? 'good' : 'plain', configuration.length > 0 ? 'Every directive that both versions have kept its value.' : 'No difference was recorded.')}
      </p>`,
    present.map(tableOf),
  ]);
}
