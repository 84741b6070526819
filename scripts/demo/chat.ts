import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { addressOfOperation } from '../../model/names.js';
import type { SlackMessageThere, SlackServer } from '../sandbox/slack-server.js';
import { members } from './deployment.js';

/** A question that stands in the channel, with buttons. */
export interface Question {
  message: SlackMessageThere;
  approval: string;
  /** As commands name who asks: `orders`, `redis/orders/staging`. */
  operation: string;
  /** Who is to answer, one of each of so many roles as have to. */
  people: string[];
}

const EVERY_MS = 200;
const PATIENCE_MS = 30_000;
/** Of one person and question, where a busy machine did not answer in time. */
const ATTEMPTS = 5;

/** The demo's channel: a server that speaks Slack's API, and `rollout approvals` between it and the operations. */
export class Chat {
  readonly #taken = new Set<string>();

  private constructor(
    private readonly slack: SlackServer,
    private readonly deployments: string,
    private readonly port: number,
  ) {
    for (const id of Object.values(members)) slack.add(id);
  }

  /**
   * @param approvals `rollout approvals --json`, which was just started
   * @param log where it writes its output
   */
  static async open(
    slack: SlackServer,
    { approvals, log, deployments }: { approvals: ChildProcess; log: string; deployments: string },
  ): Promise<Chat> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const said = await readFile(log, 'utf8');
      const ready = said.split('\n').find((line) => line.startsWith('{"type":"ready"'));
      if (ready !== undefined) return new Chat(slack, deployments, (JSON.parse(ready) as { port: number }).port);
      if (approvals.exitCode !== null || Date.now() > deadline)
        throw new Error(`rollout approvals is not ready: ${said.slice(-800)}`);
      await sleep(EVERY_MS);
    }
  }

  get address(): string {
    return new URL(this.slack.url).host;
  }

  /** Hands on each question once, as soon as it stands in the channel, until it is aborted. */
  async each(take: (question: Question) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const message of [...this.slack.messages]) {
        const asked = questionIn(message);
        if (!asked || this.#taken.has(message.ts)) continue;
        this.#taken.add(message.ts);
        await take({ message, ...(await this.#about(asked)) });
      }
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Presses a button as somebody, and says what that person was told then. @throws where it is refused */
  async press({ message, approval }: Question, by: string, comment: string): Promise<string> {
    const user = members[by as keyof typeof members];
    for (let attempt = 1; ; attempt++) {
      const before = this.slack.whispers.length;
      const { body, headers } = this.slack.signed(this.slack.interaction(message, 'approve', user, comment));
      const url = `http://127.0.0.1:${this.port}/slack/interactions`;
      const { status } = await fetch(url, { method: 'POST', body, headers });
      if (status !== 200) throw new Error(`${by} pressed Approve at ${approval}, and it was answered with ${status}`);
      const told = await this.#whisper(user, before);
      if (/ approved by /.test(told)) return told;
      if (!told.startsWith('Not recorded') || attempt === ATTEMPTS)
        throw new Error(`${by} pressed Approve at ${approval}, and was told: ${told}`);
    }
  }

  async #whisper(user: string, after: number): Promise<string> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const whisper = this.slack.whispers.slice(after).find((it) => it.user === user);
      if (whisper) return whisper.text;
      if (Date.now() > deadline) throw new Error(`${user} was told nothing of what came of the button`);
      await sleep(EVERY_MS / 4);
    }
  }

  async #about({ deployment, operation, approval }: Asked): Promise<Omit<Question, 'message'>> {
    const { policy, staging } = await loadDeployment(deployment, this.deployments);
    const [name = ''] = approval.split(':');
    const { roles, quorum } = (operation === 'staging'
      ? staging.approvals[name]
      : policy.approvals[name as 'start' | 'handover' | 'finalize']) ?? { roles: [], quorum: 1 };
    const able = roles.flatMap((role) => policy.roles[role]?.[0] ?? []);
    const address = addressOfOperation({ deployment, operation: operation ?? 'upgrade' });
    return { approval, operation: address.name, people: able.slice(0, quorum) };
  }
}

interface Asked {
  deployment: string;
  operation?: 'staging';
  approval: string;
}

/** What the message's buttons answer; undefined where it has none any more, or never had. */
function questionIn({ blocks }: SlackMessageThere): Asked | undefined {
  const button = blocks.flatMap(({ elements = [] }) => elements).find((it) => it.action_id === 'approve');
  return button?.value === undefined ? undefined : (JSON.parse(button.value) as Asked);
}
