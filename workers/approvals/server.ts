import { serve, type ServerType } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';
import { listDeployments, loadDeployment } from '../../integrations/deployment-files.js';
import { isFromSlack, parseJson } from '../../integrations/notify/slack-interaction.js';
import { verifiedBody } from '../../integrations/notify/webhook.js';
import { resolveSecret } from '../../integrations/secrets.js';
import { RolloutError } from '../../model/failures.js';
import { inputProblems } from '../../model/inputs.js';
import { giveAnswer, type AnswerContext } from './answer.js';
import type { SlackAnswers } from './slack-answers.js';

/** An answer is a few hundred bytes, and Slack's message around it some thousand. */
const MOST_BYTES = 100_000;

/** What a signed webhook sends: the question as it was asked, and who answers. */
const webhookAnswer = z.strictObject({
  operation: z.literal('staging').optional(),
  run: z.string().min(1),
  approval: z.string().min(1),
  askedAt: z.iso.datetime(),
  decision: z.enum(['approve', 'reject']),
  by: z.string().min(1),
  comment: z.string().max(2000).optional(),
  signature: z
    .string()
    .regex(/^[0-9a-f]{128}$/)
    .optional(),
});

export interface ServerContext extends AnswerContext {
  slackAnswers: SlackAnswers;
  warn: (message: string) => void;
}

/** Takes answers by HTTP: from Slack, and from whatever else signs what it sends. */
export function approvalsServer(context: ServerContext): Hono {
  const app = new Hono();
  app.use(bodyLimit({ maxSize: MOST_BYTES }));
  app.get('/healthz', (c) => c.text('ok'));

  app.post('/slack/interactions', async (c) => {
    const body = await c.req.text();
    const stamp = {
      timestamp: c.req.header('x-slack-request-timestamp'),
      signature: c.req.header('x-slack-signature'),
    };
    const secrets = await signersOf(context, (secret) => isFromSlack(secret, body, stamp, Date.now()));
    if (secrets.size === 0) return c.json({ error: 'not signed by Slack, or too long ago' }, 401);
    const payload = parseJson(new URLSearchParams(body).get('payload') ?? '');
    // Slack waits for three seconds, and takes anything but 200 for a failure: what came of it is said in Slack.
    void context.slackAnswers.take(payload, ({ signingSecret = '' }) => secrets.has(signingSecret));
    return c.body(null, 200);
  });

  app.post('/hooks/:deployment', async (c) => {
    const name = c.req.param('deployment');
    const body = await c.req.text();
    const secret = await webhookSecret(name, context.deployments);
    const verified = secret && (await verifiedBody(secret, body, c.req.header()));
    // Whoever can't sign learns nothing, not even which deployments there are.
    if (verified === undefined) return c.json({ error: 'not signed for this deployment, or too long ago' }, 401);
    const parsed = webhookAnswer.safeParse(verified);
    if (!parsed.success) return c.json({ error: inputProblems(parsed.error, verified) }, 400);
    const { comment, signature, ...rest } = parsed.data;
    const answer = {
      ...{ deployment: name, ...rest },
      ...(comment === undefined ? {} : { comment }),
      ...(signature === undefined ? {} : { signature }),
    };
    // It was not us who recognised the person: where answers are to be signed, it brings the person's signature.
    const outcome = await giveAnswer(context, answer, false, c.req.header('webhook-id') ?? '');
    return c.json(outcome, 'done' in outcome ? 200 : 'refused' in outcome ? 409 : 503);
  });

  app.onError((error, c) => {
    // What is too large, or no request at all.
    if (error instanceof HTTPException) return error.getResponse();
    context.warn(`${c.req.method} ${c.req.path}: ${error.message}`);
    return c.json({ error: 'it could not be taken just now' }, 503);
  });
  return app;
}

/** References of the signing secrets that fit, of all deployments. */
async function signersOf(
  { deployments, warn }: ServerContext,
  fits: (secret: string) => boolean,
): Promise<Set<string>> {
  const found = new Set<string>();
  for (const name of await listDeployments(deployments))
    try {
      const reference = (await loadDeployment(name, deployments)).notify.slack?.signingSecret;
      if (reference !== undefined && fits(await resolveSecret(reference))) found.add(reference);
    } catch (error) {
      // The others are not to suffer from one broken file.
      warn(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  return found;
}

async function webhookSecret(name: string, deployments: string): Promise<string | undefined> {
  try {
    return (await loadDeployment(name, deployments)).notify.webhookIn?.secret;
  } catch (error) {
    if (error instanceof RolloutError && error.type === 'UnknownDeployment') return undefined;
    throw error;
  }
}

/**
 * @param listen `host:port`
 * @throws RolloutError BadInput where nobody can listen there
 */
export async function listenAt(app: Hono, listen: string): Promise<{ port: number; close: () => Promise<void> }> {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(listen) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535)
    throw new RolloutError('BadInput', `listen: expected host:port, for example 127.0.0.1:8090, found '${listen}'`);
  const server = await new Promise<ServerType>((resolve, reject) => {
    const made = serve({ fetch: app.fetch, hostname: host.replace(/^\[|\]$/g, ''), port: Number(port) }, () =>
      resolve(made),
    );
    made.once('error', reject);
  }).catch((error: unknown) => {
    throw new RolloutError('BadInput', `listen: nobody can listen at ${listen}: ${(error as Error).message}`, {
      cause: error,
    });
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : Number(port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
