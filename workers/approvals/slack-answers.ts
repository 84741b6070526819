import { loadDeployment } from '../../integrations/deployment-files.js';
import { SlackClient, type SlackSettings } from '../../integrations/notify/slack-client.js';
import { pressedIn, type Pressed } from '../../integrations/notify/slack-interaction.js';
import { giveAnswer, type AnswerContext, type Answered } from './answer.js';
import { personOf } from './recognise.js';

/** Slack sends again what it got no answer to, within minutes. */
const MOST_REMEMBERED = 1000;

/** Buttons that people pressed in Slack: who did is looked up, the answer handed on, and what came of it said to that person. */
export class SlackAnswers {
  /** What was handed on, oldest first: a second time it is the same press. */
  readonly #seen = new Map<string, Promise<void>>();

  constructor(
    private readonly context: AnswerContext,
    private readonly warn: (message: string) => void,
  ) {}

  /**
   * @param payload as Slack sent it, its origin checked
   * @param isOfApp does the deployment take answers from the app that sent it?
   */
  async take(payload: unknown, isOfApp: (settings: SlackSettings) => boolean): Promise<void> {
    const pressed = pressedIn(payload);
    if (!pressed) return;
    const known = this.#seen.get(pressed.pressId);
    if (known) return known;
    const work = this.#answer(pressed, isOfApp);
    this.#seen.set(pressed.pressId, work);
    for (const old of this.#seen.keys()) {
      if (this.#seen.size <= MOST_REMEMBERED) break;
      this.#seen.delete(old);
    }
    await work;
  }

  async #answer(pressed: Pressed, isOfApp: (settings: SlackSettings) => boolean): Promise<void> {
    try {
      const { notify, policy } = await loadDeployment(pressed.deployment, this.context.deployments);
      const { slack } = notify;
      // Another app's token would say who it is in another workspace.
      if (!slack || !isOfApp(slack)) throw new Error(`${pressed.deployment} takes no answers from this app`);
      const client = await SlackClient.open(slack);
      const outcome = await this.#outcome(pressed, client, policy);
      await client.whisper(pressed.channel, pressed.user, said(outcome));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.warn(`${pressed.deployment}: ${pressed.user} pressed ${pressed.decision}: ${reason}`);
    }
  }

  async #outcome(pressed: Pressed, client: SlackClient, policy: Parameters<typeof personOf>[2]): Promise<Answered> {
    const { deployment, operation, run, approval, askedAt, decision, comment, user } = pressed;
    const person = personOf(user, await client.member(user), policy);
    if ('refused' in person) return person;
    const answer = { deployment, operation, run, approval, askedAt, decision, by: person.by };
    const words = comment === undefined ? answer : { ...answer, comment };
    return giveAnswer(this.context, words, true, pressed.pressId);
  }
}

const said = (outcome: Answered): string =>
  'done' in outcome
    ? outcome.done
    : 'refused' in outcome
      ? `Refused: ${outcome.refused}`
      : `Not recorded: ${outcome.unanswered}`;
