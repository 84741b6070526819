import { RolloutError } from '../../model/failures.js';
import type { FromChild, ProbeInput, ToChild } from './input.js';
import { ProbeRun } from './run.js';

/**
 * The probe's process. It is told everything over IPC, secrets too, and lives no longer than its parent: when the channel
 * closes, however the parent ended, it keeps what it knows and exits.
 */
let run: ProbeRun | undefined;
let beat: NodeJS.Timeout | undefined;

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
  beat = setInterval(() => void tell({ kind: 'recent', recent: started.recent() }), 500);
}

async function stop(): Promise<void> {
  clearInterval(beat);
  await run?.stop();
  run = undefined;
  await tell({ kind: 'stopped' });
  process.disconnect();
}

process.on('message', (message: ToChild) => {
  switch (message.kind) {
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

process.on('disconnect', () => {
  try {
    run?.abandon();
  } finally {
    process.exit(0);
  }
});

// Ctrl-C reaches the whole group of processes: the parent decides when the probe ends.
process.on('SIGINT', () => undefined);
process.on('uncaughtException', (error) => {
  run?.save();
  void fail(error).then(() => process.exit(1));
});
