import { RolloutError } from '../../model/failures.js';
import { LEASE_MS, type FromChild, type ProbeInput, type ToChild } from './input.js';
import { ProbeRun } from './run.js';

/**
 * The probe's process. It is told everything over IPC, secrets too, and lives no longer than its parent: when the channel
 * closes, however the parent ended, or nothing is heard over it any more, it keeps what it knows and exits. A worker that
 * hangs would otherwise leave it writing after the ledger was read back.
 */
let run: ProbeRun | undefined;
let beat: NodeJS.Timeout | undefined;
/** Beats since the parent was heard: time in which this process stood still itself is not counted. */
let unheard = 0;
const BEAT_MS = 500;

const tell = (message: FromChild): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected && process.send) process.send(message, () => resolve());
    else resolve();
  });

const fail = (error: unknown): Promise<void> => {
  const { message } = error as Error;
  return tell({ kind: 'failed', message, ...(error instanceof RolloutError ? { type: error.type } : {}) });
};

async function start(input: ProbeInput): Promise<void> {
  const started = await ProbeRun.start(input);
  run = started;
  await tell({ kind: 'started' });
  beat = setInterval(() => {
    if (++unheard * BEAT_MS > LEASE_MS) leave();
    else void tell({ kind: 'recent', recent: started.recent() });
  }, BEAT_MS);
}

async function stop(): Promise<void> {
  clearInterval(beat);
  await run?.stop();
  run = undefined;
  await tell({ kind: 'stopped' });
  process.disconnect();
}

function leave(): void {
  try {
    run?.abandon();
  } finally {
    process.exit(0);
  }
}

process.on('message', (message: ToChild) => {
  unheard = 0;
  switch (message.kind) {
    case 'alive':
      break;
    case 'start':
      start(message.input).catch(async (error: unknown) => {
        await fail(error);
        process.disconnect();
      });
      break;
    case 'save':
      run?.save();
      void tell({ kind: 'saved' });
      break;
    case 'stop':
      stop().catch((error: unknown) => fail(error));
      break;
  }
});

process.on('disconnect', leave);

// Ctrl-C reaches the whole group of processes: the parent decides when the probe ends.
process.on('SIGINT', () => undefined);
process.on('uncaughtException', (error) => {
  run?.save();
  void fail(error).then(() => process.exit(1));
});
