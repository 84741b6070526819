import { setTimeout as sleep } from 'node:timers/promises';
import { clients } from './clients.js';
import type { WriterInput, Written } from './writer.js';

// One client that writes on a fixed schedule, whatever becomes of its writes; in a process of its own, so that nothing but
// the servers can stall it. Each write has a key of its own, so that every acknowledged one can be looked for.
const input = JSON.parse(process.argv[2] ?? '{}') as WriterInput;
const client = await clients[input.client].connect(input.ports);

/** How long what was sent may take to be answered after the end, ms: longer than the most patient client retries. */
const ANSWERS_WITHIN_MS = 20_000;

const written: Written = { acknowledged: [], at: [], failures: {}, unanswered: 0 };
const fail = (what: string): void => {
  written.failures[what] = (written.failures[what] ?? 0) + 1;
};
const now = (): number => performance.timeOrigin + performance.now();

/** Some of node-redis' errors have no message: the name of their class is what they say. */
const what = (error: unknown): string =>
  error instanceof Error ? (error.message || error.constructor.name).slice(0, 80) : String(error);

let under = 0;
function write(n: number): void {
  under++;
  client
    .set(`${input.prefix}:${n}`, String(n))
    .then(
      () => {
        written.acknowledged.push(n);
        written.at.push(now());
        if (written.at.length === 1) process.send?.('writing');
      },
      (error: unknown) => fail(what(error)),
    )
    .finally(() => under--);
}

const begun = performance.now();
let sent = 0;
const schedule = setInterval(() => {
  for (const due = ((performance.now() - begun) * input.perSecond) / 1000; sent < due; sent++) write(sent);
}, 1);

// A benchmark that was ended must not leave its clients behind, writing to nobody.
process.once('disconnect', () => process.exit(1));
process.once('message', () => {
  clearInterval(schedule);
  void (async () => {
    const deadline = performance.now() + ANSWERS_WITHIN_MS;
    while (under > 0 && performance.now() < deadline) await sleep(20);
    written.unanswered = under;
    process.send?.(written, () => {
      client.close();
      process.exit(0);
    });
  })();
});
