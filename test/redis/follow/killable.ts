import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { programOf } from '../../../launch/program.mjs';
import type { FollowState } from '../../../redis/follow/state.js';
import type { FollowerProcessInput } from '../../../scripts/sandbox/follower-process.js';

const program = fileURLToPath(new URL('../../../scripts/sandbox/follower-process.ts', import.meta.url));

/** A follower in a process of its own, which can be killed and started again. */
export class Killable implements AsyncDisposable {
  /** Of the process that runs now, or ran last. */
  state: FollowState | undefined;
  /** Why it ended, where nobody killed it. */
  failure: string | undefined;
  /** What was lost by kind, of all of them. */
  readonly lost = new Set<string>();
  recopied = 0;
  copies = 0;
  #child: ChildProcess | undefined;

  constructor(private readonly input: FollowerProcessInput) {}

  async start(): Promise<this> {
    const { file, execArgv } = await programOf(program);
    const child = fork(file, [JSON.stringify(this.input)], {
      execArgv,
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    child.on('message', (message) => {
      const state = message as FollowState;
      for (const { what } of state.notRepresentable) this.lost.add(what);
      this.recopied = Math.max(this.recopied, state.recopied);
      this.copies = Math.max(this.copies, state.copies);
      this.state = state;
    });
    child.on('exit', (code) => {
      if (child.signalCode === null) this.failure ??= `a follower ended with ${code}: ${said}`;
    });
    this.state = undefined;
    this.#child = child;
    return this;
  }

  /** At whatever it is. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
