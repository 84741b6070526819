import { createTransport, type Transporter } from 'nodemailer';
import type { Message } from '../../model/notifications/message.js';
import type { DestinationOf, Notify } from '../../model/notify-policy.js';
import { resolveSecret } from '../secrets.js';
import type { Channel } from './channel.js';
import { Undelivered } from './undelivered.js';

type Smtp = NonNullable<Notify['smtp']>;

/** How long a server may take for each of its answers, ms. */
const DEADLINE_MS = 10_000;

/** Mail, all of one run in one thread. A connection for each: an operation has a dozen. */
export function emailChannel({ to }: DestinationOf<'email'>, smtp: Smtp): Channel {
  return {
    async send({ messageId, message, run }) {
      const transport = await transportOf(smtp);
      const thread = `<${run}@redis-rollout>`;
      try {
        await transport.sendMail({
          from: smtp.from,
          to,
          // One line: what comes from elsewhere must not become a header.
          subject: message.title.replace(/\s+/g, ' '),
          text: mailText(message),
          messageId: `<${messageId}@redis-rollout>`,
          inReplyTo: thread,
          references: thread,
          headers: { 'Auto-Submitted': 'auto-generated' },
          disableFileAccess: true,
          disableUrlAccess: true,
        });
      } catch (error) {
        const { message: why } = error as Error;
        throw new Undelivered(`the mail server ${smtp.host}:${smtp.port} did not take it: ${why}`, undefined, {
          cause: error,
        });
      } finally {
        transport.close();
      }
    },
  };
}

async function transportOf({ host, port, tls, username, password }: Smtp): Promise<Transporter> {
  return createTransport({
    ...{ host, port, secure: tls === 'required' && port === 465 },
    requireTLS: tls === 'required',
    ignoreTLS: tls === 'off',
    ...(username === undefined || password === undefined
      ? {}
      : { auth: { user: username, pass: await resolveSecret(password) } }),
    ...{ connectionTimeout: DEADLINE_MS, greetingTimeout: DEADLINE_MS, socketTimeout: DEADLINE_MS },
  });
}

export function mailText({ text, facts, consequences, links, commands }: Message): string {
  return [
    text,
    facts.map(({ label, text }) => `${label}: ${text}`).join('\n'),
    consequences ? `If yes: ${consequences.yes}\nIf no: ${consequences.no}` : '',
    commands.map((it) => `  ${it}`).join('\n'),
    links.map(({ label, url }) => `${label}: ${url}`).join('\n'),
  ]
    .filter((it) => it !== '')
    .join('\n\n');
}
