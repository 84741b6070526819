import type { Message } from '../../model/notifications/message.js';
import type { DestinationOf } from '../../model/notify-policy.js';
import { resolveSecret } from '../secrets.js';
import type { Channel } from './channel.js';
import { postJson } from './post-json.js';

/** Teams takes 28 kB a message; a statement of a thousand nodes is longer. */
const MOST_TEXT = 6000;

/**
 * A channel of Microsoft Teams.
 *
 * @see https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
 */
export function teamsChannel({ webhook }: DestinationOf<'teams'>): Channel {
  return {
    async send({ message }) {
      await postJson('Microsoft Teams', await resolveSecret(webhook), JSON.stringify(cardOf(message)));
    },
  };
}

export function cardOf({ title, text, facts, consequences, links, commands }: Message): object {
  const block = (words: string, more: object = {}) => ({
    type: 'TextBlock',
    text: plain(words.slice(0, MOST_TEXT)),
    wrap: true,
    ...more,
  });
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            block(title, { weight: 'Bolder', size: 'Medium' }),
            ...(text === '' ? [] : [block(text)]),
            ...(facts.length === 0
              ? []
              : [
                  {
                    type: 'FactSet',
                    facts: facts.map(({ label, text }) => ({ title: label, value: plain(text.slice(0, 1000)) })),
                  },
                ]),
            ...(consequences ? [block(`If yes: ${consequences.yes}`), block(`If no: ${consequences.no}`)] : []),
            ...commands.map((it) => block(it, { fontType: 'Monospace' })),
          ],
          actions: links.map(({ label, url }) => ({ type: 'Action.OpenUrl', title: label, url })),
        },
      },
    ],
  };
}

/** Cards read some Markdown: links that somebody wrote into a comment are not to become any. */
const plain = (text: string): string => text.replace(/[[\]*_`\\]/g, '\\$&');
