import { setTimeout as sleep } from 'node:timers/promises';

/** Sends one command; refusals and lost connections are thrown. */
export type Send = (...command: [name: string, ...(string | number)[]]) => Promise<unknown>;

/** What of `Customer.round` 5.0 doesn't know. */
export const newerCommands = 'LMOVE, GETEX, COPY, SET … EXAT and KEEPTTL GET, ZADD … GT, GEOSEARCHSTORE';

const CODES = 20;
const CODE_MS = 700;
const KEPT = 20;
const COURIERS = ['ada', 'bo', 'cem'];
/** As policy.ttlTolerance allows it, and what a command takes on its way, ms. */
const TOLERANCE_MS = 1500;

/**
 * One customer of the demo's application, in keys of one slot: what it does in a round, what each answer has to be, and
 * what there has to be at the end. Nobody else writes these keys, so that one wrong element is one that was lost.
 */
export class Customer {
  readonly tag: string;
  /** Commands so far that 5.0 doesn't know. */
  newer = 0;
  #round = 0;
  #todo: string[] = [];
  #done: string[] = [];
  #copied: string[] = [];
  #events: string[] = [];
  #near: string[] = [];
  #best: number | null = null;
  #last: string | null = null;
  #session = '';
  /** Keys whose expiry is set once and never again, and when they expire, Unix ms. */
  readonly #expires = new Map<string, number>();

  constructor(
    number: number,
    readonly send: Send,
  ) {
    this.tag = `{app:${number}}`;
  }

  /** @throws where a command is refused, or is answered with what can't be */
  async round(): Promise<void> {
    const round = ++this.#round;
    await this.#expect(round, 'INCR', this.#key('hits'));
    this.#session = `token ${round}`;
    await this.#expect('OK', 'SET', this.#key('session'), this.#session, 'EX', 60);
    await this.#expect('OK', 'SET', this.#key(`code:${round % CODES}`), round, 'PX', CODE_MS);
    this.#todo.push(`job ${round}`);
    await this.#expect(this.#todo.length, 'RPUSH', this.#key('todo'), `job ${round}`);
    await this.send('XADD', this.#key('events'), 'MAXLEN', KEPT, '*', 'round', round);
    this.#events = [...this.#events, String(round)].slice(-KEPT);
    await this.send('GEOADD', this.#key('couriers'), 13 + (round % 100) / 100, 52.5, COURIERS[round % 3] ?? '');
    if (this.#expires.has('contract')) return;
    await this.#expect('OK', 'SET', this.#key('contract'), 'kept', 'EX', 3600);
    this.#expires.set('contract', Date.now() + 3_600_000);
  }

  /** What it has itself, read again. */
  async readBack(): Promise<void> {
    await this.#expect(String(this.#round), 'GET', this.#key('hits'));
    await this.#expect(this.#session, 'GET', this.#key('session'));
    await this.#expect(this.#todo.length, 'LLEN', this.#key('todo'));
    await this.#expect(this.#done[0] ?? null, 'LINDEX', this.#key('done'), 0);
  }

  /** A job from the queue to the list of what is done, as 5.0 knows it. */
  async moveJob(): Promise<void> {
    const job = this.#todo.pop() ?? null;
    await this.#expect(job, 'RPOPLPUSH', this.#key('todo'), this.#key('done'));
    await this.#finish(job);
  }

  /** The same and more by commands that came with 6.2 and 7.0. */
  async moveJobAnew(): Promise<void> {
    const round = this.#round;
    const job = this.#todo.shift() ?? null;
    await this.#newly(job, 'LMOVE', this.#key('todo'), this.#key('done'), 'LEFT', 'LEFT');
    await this.#finish(job);
    await this.#newly(1, 'COPY', this.#key('done'), this.#key('copy'), 'REPLACE');
    this.#copied = [...this.#done];
    await this.#newly(this.#session, 'GETEX', this.#key('session'), 'EX', 120);
    await this.#newly(this.#last, 'SET', this.#key('last'), round, 'KEEPTTL', 'GET');
    this.#last = String(round);
    const score = (round * 7919) % 1000;
    const better = this.#best === null || score > this.#best;
    await this.#newly(better ? 1 : 0, 'ZADD', this.#key('best'), 'GT', 'CH', score, 'score');
    if (better) this.#best = score;
    this.#near = round < COURIERS.length ? COURIERS.slice(1, round + 1) : COURIERS;
    const box = ['FROMLONLAT', 13, 52.5, 'BYBOX', 500, 500, 'km'] as const;
    await this.#newly(this.#near.length, 'GEOSEARCHSTORE', this.#key('near'), this.#key('couriers'), ...box);
    if (this.#expires.has('coupon')) return;
    const at = Math.round(Date.now() / 1000) + 1200;
    await this.#newly('OK', 'SET', this.#key('coupon'), 'kept', 'EXAT', at);
    this.#expires.set('coupon', at * 1000);
  }

  /** Whatever is not as it has to be, once the last round is over. */
  async differences(): Promise<string[]> {
    const found: string[] = [];
    const same = (name: string, is: unknown, due: unknown): void => {
      if (JSON.stringify(is) !== JSON.stringify(due))
        found.push(`${this.#key(name)} is ${JSON.stringify(is)}, expected ${JSON.stringify(due)}`);
    };
    const list = (name: string): Promise<unknown> => this.send('LRANGE', this.#key(name), 0, -1);
    same('hits', await this.send('GET', this.#key('hits')), String(this.#round));
    same('session', await this.send('GET', this.#key('session')), this.#session);
    same('todo', await list('todo'), this.#todo);
    same('done', await list('done'), this.#done);
    same('copy', await list('copy'), this.#copied);
    same('last', await this.send('GET', this.#key('last')), this.#last);
    const events = (await this.send('XRANGE', this.#key('events'), '-', '+')) as [string, string[]][];
    same(
      'events',
      events.map(([, [, round]]) => round),
      this.#events,
    );
    same(
      'best',
      await this.send('ZSCORE', this.#key('best'), 'score'),
      this.#best === null ? null : String(this.#best),
    );
    const near = (await this.send('ZRANGE', this.#key('near'), 0, -1)) as string[];
    same('near', near.toSorted(), this.#near);
    for (const [name, due] of this.#expires) {
      const left = Number(await this.send('PTTL', this.#key(name)));
      const at = Date.now() + left;
      if (left < 0 || Math.abs(at - due) > TOLERANCE_MS)
        found.push(`${this.#key(name)} expires ${left < 0 ? 'never, or is gone' : `${Math.round(at - due)} ms off`}`);
    }
    const codes = Array.from({ length: CODES }, (_, n) => this.#key(`code:${n}`));
    same('code:*', await this.send('EXISTS', ...codes), 0);
    return found;
  }

  /** Until the last code that was written has to be gone. */
  static readonly expired = (): Promise<void> => sleep(CODE_MS + TOLERANCE_MS);

  async #finish(job: string | null): Promise<void> {
    if (job !== null) this.#done = [job, ...this.#done].slice(0, KEPT);
    await this.#expect('OK', 'LTRIM', this.#key('done'), 0, KEPT - 1);
  }

  /** As `#expect`, of a command that 5.0 doesn't know. */
  async #newly(answer: string | number | null, ...command: Parameters<Send>): Promise<void> {
    this.newer++;
    await this.#expect(answer, ...command);
  }

  async #expect(answer: string | number | null, ...command: Parameters<Send>): Promise<void> {
    const found = await this.send(...command);
    if (found !== answer)
      throw new Error(
        `${command.join(' ')} was answered with ${JSON.stringify(found)}, expected ${JSON.stringify(answer)}`,
      );
  }

  readonly #key = (name: string): string => `${this.tag}:${name}`;
}
