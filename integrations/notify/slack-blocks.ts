import type { ActionsBlock, KnownBlock } from '@slack/web-api';
import { formatMoment } from '../../model/duration.js';
import { isOpen } from '../../model/notifications/events.js';
import type { ApprovalRecord } from '../../model/operation.js';
import type { Outgoing } from './channel.js';

// Of a section, a field, a header, a label and a value: https://docs.slack.dev/reference/block-kit/blocks
const MOST = { section: 3000, field: 2000, header: 150, confirm: 300 } as const;

/** What a button says of the question that it answers: enough to find it again, and to know when it is another one. */
export interface ButtonValue {
  deployment: string;
  /** Left out: the deployment's own operation. */
  operation?: 'staging' | undefined;
  run: string;
  approval: string;
  askedAt: string;
}

/** Comments are typed into the message itself. */
export const COMMENT = 'comment';

/** What somebody else wrote is text, and neither a mention nor a link: https://docs.slack.dev/messaging/formatting-message-text */
export const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const section = (text: string): KnownBlock => ({
  type: 'section',
  text: { type: 'mrkdwn', text: cut(text, MOST.section) },
});

/** A question with its evidence, and with buttons while it is open; anything else in short. */
export function blocksOf(outgoing: Outgoing, { buttons }: { buttons: boolean }): KnownBlock[] {
  const { event, message } = outgoing;
  const { question } = event;
  const blocks: KnownBlock[] = [
    { type: 'header', text: { type: 'plain_text', text: cut(message.title, MOST.header), emoji: false } },
  ];
  if (message.text !== '') blocks.push(section(escape(message.text)));
  if (message.facts.length > 0)
    blocks.push({
      type: 'section',
      fields: message.facts.slice(0, 10).map(({ label, text }) => ({
        type: 'mrkdwn',
        text: cut(`*${escape(label)}*\n${escape(text)}`, MOST.field),
      })),
    });
  if (event.kind === 'question' && question) {
    if (isOpen(event)) blocks.push(...openQuestion(outgoing, question, buttons));
    else blocks.push(section(decidedText(question)));
  }
  const { commands, links } = message;
  const more = [
    ...links.map(({ label, url }) => `<${escape(url)}|${escape(label)}>`),
    ...commands.map((it) => `\`${escape(it)}\``),
  ];
  if (more.length > 0)
    blocks.push({ type: 'context', elements: [{ type: 'mrkdwn', text: cut(more.join('\n'), MOST.field) }] });
  return blocks;
}

function openQuestion({ message, status, run }: Outgoing, record: ApprovalRecord, buttons: boolean): KnownBlock[] {
  const { yes = '', no = '' } = message.consequences ?? {};
  const text = section(`*If yes:* ${escape(yes)}\n*If no:* ${escape(no)}`);
  if (!buttons) return [text];
  const { approval, askedAt } = record;
  const { deployment, operation } = status;
  const of = operation === 'staging' ? { operation } : {};
  const value: ButtonValue = { deployment, ...of, run, approval, askedAt };
  return [
    text,
    {
      type: 'input',
      block_id: COMMENT,
      optional: true,
      label: { type: 'plain_text', text: 'Comment (goes on record)' },
      element: { type: 'plain_text_input', action_id: COMMENT, max_length: 500 },
    },
    { type: 'actions', elements: [button('approve', yes, value), button('reject', no, value)] },
  ];
}

/** Pressed by mistake on a telephone it does nothing: what follows is said once more, and confirmed. */
const button = (
  decision: 'approve' | 'reject',
  what: string,
  value: ButtonValue,
): ActionsBlock['elements'][number] => ({
  type: 'button',
  action_id: decision,
  style: decision === 'approve' ? 'primary' : 'danger',
  text: { type: 'plain_text', text: decision === 'approve' ? 'Approve' : 'Reject' },
  value: JSON.stringify(value),
  confirm: {
    title: {
      type: 'plain_text',
      text: cut(`${decision === 'approve' ? 'Approve' : 'Reject'} ${value.approval}?`, 100),
    },
    text: { type: 'plain_text', text: cut(what, MOST.confirm) },
    confirm: { type: 'plain_text', text: decision === 'approve' ? 'Approve' : 'Reject' },
    deny: { type: 'plain_text', text: 'Not now' },
  },
});

/** What was decided, by whom and when. */
function decidedText({ state, answers, expiresAt }: ApprovalRecord): string {
  const given = answers.map(
    ({ by, role, decision, at, comment }) =>
      `${decision === 'approve' ? 'approved' : 'rejected'} by ${escape(by)} (${escape(role)}) at ${formatMoment(at)}${comment === undefined ? '' : `: ${escape(comment)}`}`,
  );
  const what = state === 'expired' ? `expired at ${formatMoment(expiresAt)}, asked anew` : state;
  return [`*${what}*`, ...given].join('\n');
}
