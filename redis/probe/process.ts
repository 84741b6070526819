import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { programOf } from '../../launch/program.mjs';
import type { ProbeRecent, ProbeReport } from '../../model/evidence.js';
import { RolloutError } from '../../model/failures.js';
import { LEASE_MS, type FromChild, type ProbeInput, type ToChild } from './input.js';
import { loadProbeReport } from './report.js';

export interface ProbeHandle extends AsyncDisposable {
  readonly pid: number;
  /** Each shard's last ten seconds, half a second old at most while the probe runs. */
  recent(): ProbeRecent[];
  /** Everything up to now, earlier runs on the folder included. */
  report(): Promise<ProbeReport>;
  /** Ends the schedule, waits for what is under way (its deadline at the longest) and reports. Safe to call twice. */
  stop(): Promise<ProbeReport>;
  /** Settles when the probe's process has ended, with why if it was not told to. */
  readonly ended: Promise<string | undefined>;
}

const START_TIMEOUT_MS = 60_000;
/** Beyond an operation's deadline, for the last of them to be given up and everything to be written. */
const STOP_GRACE_MS = 20_000;

/**
 * Starts the open-loop probe in a process of its own, so that a busy worker doesn't disturb what is measured. On the
 * folder of an earlier probe, even one whose worker was killed, its ledger and statistics are continued.
 *
 * @param input.onHeartbeat called about twice a second, for an activity's heartbeat
 * @throws RolloutError Unreachable, Unauthorized, MissingPermission, NodeHung or BadInput: then nothing was left behind
 */
export async function startProbe(
  input: ProbeInput & { onHeartbeat?: (recent: ProbeRecent[]) => void },
): Promise<ProbeHandle> {
  const { onHeartbeat, ...told } = input;
  const child = await forkProbe();
  const alive = setInterval(() => {
    if (child.connected) child.send({ kind: 'alive' } satisfies ToChild, () => undefined);
  }, LEASE_MS / 10);
  let recent: ProbeRecent[] = [];
  let stopping: Promise<ProbeReport> | undefined;
  let failure: string | undefined;
  child.on('message', (message: FromChild) => {
    if (message.kind === 'failed') failure = message.message;
    if (message.kind !== 'recent') return;
    recent = message.recent;
    onHeartbeat?.(recent);
  });
  let gone = false;
  const ended = new Promise<string | undefined>((resolve) =>
    child.once('exit', (code, signal) => {
      gone = true;
      clearInterval(alive);
      resolve(stopping ? undefined : (failure ?? `the probe's process ended with ${signal ?? `exit code ${code}`}`));
    }),
  );
  await answer(child, { kind: 'start', input: told }, 'started', START_TIMEOUT_MS).catch(async (error: unknown) => {
    child.kill('SIGKILL');
    await ended;
    throw error;
  });

  const stop = async (): Promise<ProbeReport> => {
    const deadlineMs = input.limits?.deadlineMs ?? 10_000;
    if (!gone)
      await answer(child, { kind: 'stop' }, 'stopped', deadlineMs + STOP_GRACE_MS).catch(() => child.kill('SIGKILL'));
    await ended;
    return loadProbeReport(input.folder);
  };
  return {
    pid: child.pid ?? 0,
    recent: () => recent,
    async report() {
      // A probe that has ended, or ends just now, has saved everything it could.
      if (!gone) await answer(child, { kind: 'save' }, 'saved', 10_000).catch(() => undefined);
      return loadProbeReport(input.folder);
    },
    stop: () => (stopping ??= stop()),
    ended,
    async [Symbol.asyncDispose]() {
      await (stopping ??= stop());
    },
  };
}

async function forkProbe(): Promise<ChildProcess> {
  const { file, execArgv } = await programOf(fileURLToPath(new URL('./probe-process.ts', import.meta.url)));
  return fork(file, [], {
    // The parent's own execArgv is not for this child: vitest's and a debugger's would break it.
    execArgv,
    // Certificates are Buffers.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** Sends a message and waits for its answer, for the child's failure, or for its end. */
function answer(child: ChildProcess, message: ToChild, kind: FromChild['kind'], timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
      if (error) reject(error);
      else resolve();
    };
    const onMessage = (reply: FromChild): void => {
      if (reply.kind === kind) settle();
      if (reply.kind === 'failed') settle(new RolloutError(reply.type ?? 'StartFailed', reply.message));
    };
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void =>
      settle(new RolloutError('StartFailed', `the probe's process ended with ${signal ?? `exit code ${code}`}`));
    const timer = setTimeout(
      () =>
        settle(new RolloutError('StartFailed', `the probe did not answer '${message.kind}' within ${timeoutMs} ms`)),
      timeoutMs,
    );
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.send(message, (error) => {
      if (error) settle(error);
    });
  });
}
