import { createHash } from 'node:crypto';
import type { Channel } from '../../integrations/notify/channel.js';
import { emailChannel } from '../../integrations/notify/email.js';
import { pagerDutyChannel } from '../../integrations/notify/pagerduty.js';
import { slackChannel } from '../../integrations/notify/slack.js';
import { teamsChannel } from '../../integrations/notify/teams.js';
import { webhookChannel } from '../../integrations/notify/webhook.js';
import { RolloutError } from '../../model/failures.js';
import type { Destination, Notify } from '../../model/notify-policy.js';

export function channelOf(to: Destination, { slack, smtp }: Notify): Channel {
  switch (to.kind) {
    case 'webhook':
      return webhookChannel(to);
    case 'pagerduty':
      return pagerDutyChannel(to);
    case 'teams':
      return teamsChannel(to);
    case 'slack':
      if (slack) return slackChannel(to, slack);
      break;
    case 'email':
      if (smtp) return emailChannel(to, smtp);
  }
  throw new RolloutError('BadDeploymentFile', `a route to ${to.kind} needs its settings beside it`);
}

/** The same as long as messages go to the same place, whatever else changes of the file. */
export const routeKey = (to: Destination): string =>
  `${to.kind}-${createHash('sha256').update(JSON.stringify(to)).digest('hex').slice(0, 12)}`;
