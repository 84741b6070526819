import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { programOf } from '../../../launch/program.mjs';
import type { ClientName } from './clients.js';

export interface WriterInput {
  client: ClientName;
  ports: readonly number[];
  /** Keys are `<prefix>:<n>`, values `<n>`. */
  prefix: string;
  perSecond: number;
}

/** What one client saw. */
export interface Written {
  /** Numbers of the writes that were acknowledged, in the order of their acknowledgements, */
  acknowledged: number[];
  /** and when each was, Unix ms with fractions. */
  at: number[];
  /** Writes that the client gave up, by what it said. */
  failures: Record<string, number>;
  /** Neither acknowledged nor failed long after the end. */
  unanswered: number;
}

const program = fileURLToPath(new URL('./writer-process.ts', import.meta.url));

/** A client that writes, in a process of its own. */
export class Writer implements AsyncDisposable {
  private constructor(
    readonly input: WriterInput,
    private readonly child: ChildProcess,
  ) {}

  /** Starts it and waits for its first acknowledged write. */
  static async start(input: WriterInput): Promise<Writer> {
    const { file, execArgv } = await programOf(program);
    const child = fork(file, [JSON.stringify(input)], { execArgv });
    await answer(child, input.client);
    return new Writer(input, child);
  }

  /** Ends the writing and waits for what is under way. */
  async stop(): Promise<Written> {
    const written = answer(this.child, this.input.client);
    this.child.send('stop');
    return (await written) as Written;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}

async function answer(child: ChildProcess, client: string): Promise<unknown> {
  const ended = new AbortController();
  try {
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]: unknown[]) => message),
      once(child, 'exit', { signal: ended.signal }).then(([code]: unknown[]) => {
        throw new Error(`the client ${client} ended with ${String(code)}`);
      }),
    ]);
  } finally {
    ended.abort();
  }
}
