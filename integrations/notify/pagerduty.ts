import { createHash } from 'node:crypto';
import type { DestinationOf } from '../../model/notify-policy.js';
import { resolveSecret } from '../secrets.js';
import type { Channel, Outgoing } from './channel.js';
import { postJson } from './post-json.js';

/** Of a summary, as the API has it. */
const MOST_SUMMARY = 1024;

/**
 * Alerts of PagerDuty: what somebody has to see to is triggered, and resolved when that is over. Anything else is none.
 *
 * @see https://developer.pagerduty.com/docs/send-alert-event
 */
export function pagerDutyChannel({ routingKey, url }: DestinationOf<'pagerduty'>): Channel {
  return {
    async send(outgoing) {
      if (!outgoing.event.alert) return;
      const body = JSON.stringify({ routing_key: await resolveSecret(routingKey), ...alertOf(outgoing) });
      await postJson('PagerDuty', `${url.replace(/\/+$/, '')}/v2/enqueue`, body);
    },
  };
}

export function alertOf({ event, message, status, run }: Outgoing): object {
  const { key = event.id, over = false } = event.alert ?? {};
  const { workflowId, phase, progress } = status;
  const of = event.kind === 'ended' ? `${workflowId}/${key}` : `${run}/${key}`;
  return {
    event_action: over ? 'resolve' : 'trigger',
    dedup_key: createHash('sha256').update(of).digest('hex'),
    payload: {
      summary: message.title.slice(0, MOST_SUMMARY),
      source: workflowId,
      severity: event.kind === 'question' ? 'warning' : 'critical',
      timestamp: event.at,
      component: status.deployment,
      ...(event.shard === undefined ? {} : { group: event.shard }),
      custom_details: {
        text: message.text,
        phase,
        progress: `${progress.upgraded} of ${progress.nodes} nodes`,
        ...Object.fromEntries(message.facts.map(({ label, text }) => [label, text])),
        ...(message.commands.length === 0 ? {} : { commands: message.commands }),
      },
    },
    links: message.links.map(({ label, url }) => ({ href: url, text: label })),
  };
}
