import { formatDuration } from '../duration.js';
import type { GateRecord } from '../operation.js';
import type { ReportData } from '../report.js';
import { html, type Content, type Markup } from './html.js';
import { clock, moment } from './quantities.js';
import { sign, table, type Sign } from './table.js';

const verdictSign: Record<GateRecord['verdict']['state'], Sign> = { pass: 'good', wait: 'wait', fail: 'bad' };

/** Every gate that was held, those that still block first. */
export function gatesSection({ status }: ReportData): Markup {
  const severity = { fail: 0, wait: 1, pass: 2 };
  const gates = [...status.gates].sort((a, b) => severity[a.verdict.state] - severity[b.verdict.state]);
  return section('gates', 'Gates', [
    table({
      caption: 'Each gate as it was left, with what it said and whoever overrode it',
      empty: 'No gate has been held yet.',
      sortable: true,
      columns: [
        { head: 'State' },
        { head: 'Gate', code: true },
        { head: 'Held' },
        { head: 'What it says' },
        { head: 'Since' },
        { head: 'Override' },
      ],
      rows: gates.map(({ gate, before, verdict, since, overriddenBy }) => [
        { content: sign(verdictSign[verdict.state], verdict.state), sort: severity[verdict.state] },
        gate,
        before,
        verdict.state === 'pass'
          ? (verdict.reason ?? 'holds')
          : [verdict.reason, html`<br /><span class="muted">clears when ${verdict.clears}</span>`],
        { content: when(since), sort: Date.parse(since) },
        overriddenBy
          ? html`<strong>${overriddenBy.by}</strong>, ${when(overriddenBy.at)}: “${overriddenBy.reason}”`
          : html`<span class="muted">none</span>`,
      ]),
    }),
  ]);
}

/** As much of a key as tells it from others. */
const shortKey = (key: string): string => `${key.slice(0, 'ed25519:'.length + 16)}…`;

const stateSign = { open: 'wait', approved: 'good', rejected: 'bad', expired: 'caution' } as const;

/** Every question with its answers, then every gate that a person overrode. */
export function approvalsSection({ status }: ReportData): Markup {
  const overridden = status.gates.filter((gate) => gate.overriddenBy);
  return section('approvals', 'Approvals and overrides', [
    table({
      caption: 'What people were asked, who answered, in which role, when, and with which words',
      empty: 'Nobody had to be asked.',
      columns: [
        { head: 'State' },
        { head: 'Approval', code: true },
        { head: 'Question' },
        { head: 'Needed' },
        { head: 'Asked' },
        { head: 'Answers' },
      ],
      rows: status.approvals.map(({ state, approval, question, roles, quorum, askedAt, expiresAt, answers }) => [
        sign(stateSign[state], state),
        approval,
        question,
        `${quorum} of ${roles.join(', ')}`,
        [when(askedAt), state === 'open' && html`<br /><span class="muted">expires ${when(expiresAt)}</span>`],
        answers.length === 0
          ? html`<span class="muted">none</span>`
          : answers.map(
              ({ by, role, decision, at, comment, signed }) =>
                html`<p class="answer">
                  <strong>${by}</strong> (${role}) ${decision === 'approve' ? 'approved' : 'rejected'} ${when(at)},
                  after
                  ${formatDuration(Date.parse(at) - Date.parse(askedAt))}${
                    signed &&
                    html`<br /><span class="muted"
                        >signed${signed.recognisedBy === 'chat' && ' by rollout approvals'}, key</span
                      >
                      <code>${shortKey(signed.key)}</code>`
                  }${comment !== undefined && html`<br />“${comment}”`}
                </p>`,
            ),
      ]),
    }),
    overridden.length > 0 &&
      table({
        caption: 'Gates that were overridden: by whom, why, and what the gate said',
        empty: '',
        columns: [
          { head: 'Gate', code: true },
          { head: 'Held' },
          { head: 'By' },
          { head: 'When' },
          { head: 'Why' },
          { head: 'What the gate says' },
        ],
        rows: overridden.map(({ gate, before, overriddenBy, verdict }) => [
          gate,
          before,
          overriddenBy?.by,
          overriddenBy && when(overriddenBy.at),
          overriddenBy?.reason,
          verdict.reason ?? 'holds',
        ]),
      }),
  ]);
}

/** Who steered, and everything else in order. */
export function auditSection({ timeline, status: { audit, deployment } }: ReportData): Markup {
  const rows = (entries: ReportData['timeline']) =>
    [...entries]
      .sort((a, b) => a.at.localeCompare(b.at))
      .map(({ at, until, kind, shard, node, text }) => [
        { content: when(at), sort: Date.parse(at) },
        until === undefined
          ? ''
          : { content: formatDuration(Date.parse(until) - Date.parse(at)), sort: Date.parse(until) - Date.parse(at) },
        kind === 'failure' ? sign('bad', kind) : kind,
        [
          shard,
          shard !== undefined && node !== undefined && html`<br />`,
          node !== undefined && html`<span class="code">${node}</span>`,
        ],
        text,
      ]);
  const columns = [
    { head: 'When' },
    { head: 'Took', numeric: true },
    { head: 'Kind' },
    { head: 'Where' },
    { head: 'What' },
  ];
  const steering = timeline.filter((entry) => entry.kind === 'control');
  return section('audit', 'Audit', [
    audit &&
      html`<p>
        On the deployment’s audit trail up to entry ${audit.n}, <span class="code">${audit.hash}</span>. Nothing of it
        was altered where this finds nothing: <code>rollout audit verify ${deployment}</code>
      </p>`,
    table({
      caption: 'Who paused, resumed, aborted or otherwise steered the operation',
      empty: 'Nobody paused, resumed or aborted it.',
      columns,
      rows: rows(steering),
    }),
    html`<details class="fold-out" id="every-entry">
      <summary>Every entry of the timeline (${timeline.length})</summary>
      ${table({
        caption: 'Everything that was recorded, in order',
        empty: 'Nothing has been recorded yet.',
        columns,
        rows: rows(timeline),
        sortable: true,
        unfolded: true,
        most: 2000,
      })}
    </details>`,
  ]);
}

/** A time of day that tells its date on hover. */
export function when(instant: string): Markup {
  const at = Date.parse(instant);
  return html`<time datetime="${instant}" title="${moment(instant)}">${Number.isNaN(at) ? instant : clock(at)}</time>`;
}

export function section(id: string, title: string, content: Content): Markup {
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    ${content}
  </section> `;
}
