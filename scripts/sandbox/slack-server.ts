import { createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import { blockProblem } from './slack-block-rules.js';

interface Block {
  type: string;
  elements?: { action_id?: string; value?: string }[];
}

export interface SlackMessageThere {
  channel: string;
  ts: string;
  thread_ts?: string;
  text: string;
  blocks: Block[];
  metadata?: { event_type: string; event_payload: { id?: string } };
  edited: number;
}

interface Member {
  id: string;
  deleted?: boolean;
  is_bot?: boolean;
  is_stranger?: boolean;
  profile: { email?: string };
}

/** What a test has it do. */
export interface SlackFaults {
  /** HTTP 503 to everything. */
  down?: boolean;
  /** How many calls more are answered with 429, and the seconds that it asks for. */
  rateLimited?: { calls: number; seconds: number };
  /** Calls of this method that are carried out, and whose answer is never heard. */
  loseReplies?: { method: string; calls: number };
  slowMs?: number;
}

/**
 * A server that speaks Slack's Web API and Socket Mode, as far as we use them, from their documentation: tokens are checked, blocks
 * held against Slack's limits, requests signed as Slack signs them. Slack itself can't be had on a machine of one's own.
 */
export class SlackServer implements AsyncDisposable {
  readonly token = 'xoxb-of-the-test';
  readonly appToken = 'xapp-of-the-test';
  readonly signingSecret = 'a-signing-secret-of-the-test';
  readonly messages: SlackMessageThere[] = [];
  readonly whispers: { channel: string; user: string; text: string }[] = [];
  readonly members = new Map<string, Member>();
  /** How often each method was called, whatever came of it. */
  readonly calls = new Map<string, number>();
  faults: SlackFaults = {};
  readonly #sockets = new Set<WebSocket>();
  readonly #acknowledged = new Set<string>();
  readonly #webSockets = new WebSocketServer({ noServer: true });
  /** Of the newest message, microseconds. */
  #last = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<SlackServer> {
    const server = createServer();
    const slack = new SlackServer(server);
    server.on('request', (request, response) => void slack.#answer(request, response));
    server.on('upgrade', (request, socket, head) =>
      slack.#webSockets.handleUpgrade(request, socket, head, (ws) => slack.#greet(ws)),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return slack;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/api/`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  add(id: string, email?: string, more: Partial<Member> = {}): void {
    this.members.set(id, { id, profile: email === undefined ? {} : { email }, ...more });
  }

  /** What Slack sends when a button of the message is pressed. */
  interaction(message: SlackMessageThere, decision: 'approve' | 'reject', user: string, comment?: string): object {
    const button = message.blocks.flatMap(({ elements = [] }) => elements).find((it) => it.action_id === decision);
    if (button?.value === undefined)
      throw new Error(`the message has no button ${decision}: ${JSON.stringify(message)}`);
    return {
      type: 'block_actions',
      user: { id: user, team_id: 'T0001' },
      team: { id: 'T0001' },
      channel: { id: message.channel },
      container: { type: 'message', message_ts: message.ts },
      trigger_id: randomUUID(),
      actions: [{ type: 'button', action_id: decision, value: button.value, action_ts: String(Date.now() / 1000) }],
      state: { values: { comment: { comment: { type: 'plain_text_input', value: comment ?? null } } } },
    };
  }

  /** The request that carries it: body and headers. `at` and `secret` as a forger would have them. */
  signed(
    payload: object,
    { at = Date.now(), secret = this.signingSecret } = {},
  ): { body: string; headers: Record<string, string> } {
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    const timestamp = String(Math.floor(at / 1000));
    const signature = `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
    return {
      body,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-slack-request-timestamp': timestamp,
        'x-slack-signature': signature,
      },
    };
  }

  /** Sends it by Socket Mode, again and again until it is acknowledged, as Slack does. */
  async deliver(payload: object): Promise<void> {
    const envelope = { envelope_id: randomUUID(), type: 'interactive', accepts_response_payload: false, payload };
    const deadline = Date.now() + 20_000;
    while (!this.#acknowledged.has(envelope.envelope_id)) {
      if (Date.now() > deadline) throw new Error('nobody acknowledged the interaction');
      const [socket] = this.#sockets;
      socket?.send(JSON.stringify(envelope));
      await sleep(200);
    }
  }

  /** As Slack does every few hours: the connection ends, and the app has to come again. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropConnections();
    this.#webSockets.close();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
  }

  #greet(socket: WebSocket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('message', (data: Buffer) => {
      const { envelope_id: id } = JSON.parse(data.toString()) as { envelope_id?: string };
      if (id !== undefined) this.#acknowledged.add(id);
    });
    socket.send(JSON.stringify({ type: 'hello', num_connections: 1, connection_info: { app_id: 'A0001' } }));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const piece of request) text += String(piece);
    const method = (request.url ?? '').replace(/^\/api\//, '');
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    const { down, rateLimited, loseReplies, slowMs } = this.faults;
    if (slowMs !== undefined) await sleep(slowMs);
    const answer = (status: number, body: object, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    };
    if (down) {
      answer(503, { ok: false, error: 'service_unavailable' });
      return;
    }
    if (rateLimited && rateLimited.calls > 0) {
      rateLimited.calls--;
      answer(429, { ok: false, error: 'ratelimited' }, { 'retry-after': String(rateLimited.seconds) });
      return;
    }
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    const fields = Object.fromEntries(new URLSearchParams(text));
    const result =
      token === (method === 'apps.connections.open' ? this.appToken : this.token)
        ? this.#carryOut(method, fields)
        : { ok: false, error: 'invalid_auth' };
    if (loseReplies?.method === method && loseReplies.calls > 0) {
      loseReplies.calls--;
      request.socket.destroy();
      return;
    }
    answer(200, result);
  }

  #carryOut(method: string, fields: Record<string, string>): object {
    const { channel = '', text = '', ts = '' } = fields;
    const blocks = JSON.parse(fields['blocks'] ?? '[]') as Block[];
    const metadata =
      fields['metadata'] === undefined
        ? {}
        : { metadata: JSON.parse(fields['metadata']) as SlackMessageThere['metadata'] & object };
    const problem = blockProblem(blocks);
    if (problem !== undefined)
      return { ok: false, error: 'invalid_blocks', response_metadata: { messages: [problem] } };
    const thread = fields['thread_ts'];
    const known = this.messages.find((it) => it.channel === channel && it.ts === ts);
    switch (method) {
      case 'chat.postMessage': {
        this.#last = Math.max(this.#last + 1, Date.now() * 1000);
        const at = (this.#last / 1e6).toFixed(6);
        this.messages.push({
          ...{ channel, ts: at, text, blocks, edited: 0, ...metadata },
          ...(thread === undefined ? {} : { thread_ts: thread }),
        });
        return { ok: true, channel, ts: at };
      }
      case 'chat.update':
        if (!known) return { ok: false, error: 'message_not_found' };
        Object.assign(known, { text, blocks, edited: known.edited + 1, ...metadata });
        return { ok: true, channel, ts };
      case 'chat.postEphemeral':
        this.whispers.push({ channel, user: fields['user'] ?? '', text });
        return { ok: true, message_ts: ts };
      case 'conversations.history':
      case 'conversations.replies': {
        const inThread = method === 'conversations.replies';
        const messages = this.messages.filter(
          (it) =>
            it.channel === channel &&
            (inThread ? (it.thread_ts ?? it.ts) === ts : it.thread_ts === undefined) &&
            Number(it.ts) >= Number(fields['oldest'] ?? 0),
        );
        return { ok: true, messages, has_more: false };
      }
      case 'users.info': {
        const user = this.members.get(fields['user'] ?? '');
        return user ? { ok: true, user } : { ok: false, error: 'user_not_found' };
      }
      case 'apps.connections.open':
        return { ok: true, url: `${this.url.replace(/^http/, 'ws').replace(/api\/$/, '')}link` };
      default:
        return { ok: false, error: 'unknown_method' };
    }
  }
}
