import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDeployment } from '../../../model/deployment-file.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import type { Operation } from '../../../scripts/sandbox/operation.js';
import { startRollout } from '../../scripts/rollout/stage/cli.js';
import type { FakeDeployment } from '../../workflows/stage/fake-deployment.js';
import { FakeStage } from '../../workflows/stage/fake-stage.js';

export const people = { engineering: ['ana', 'abe'], operations: ['ben', 'bea'], product: ['cleo'] };

interface Ready {
  pid: number;
  port?: number;
  publicKey?: string;
}

/** Real Temporal and real workflows, `rollout approvals` as a process of its own, and deployment files that both read. */
export class ApprovalsStage implements AsyncDisposable {
  readonly #running = new Set<ReturnType<typeof startRollout>>();

  private constructor(
    readonly fake: FakeStage,
    readonly folder: string,
    private readonly secrets: Record<string, string>,
  ) {}

  /** @param secrets environment of the process, for `env:` references */
  static async open(secrets: Record<string, string> = {}): Promise<ApprovalsStage> {
    const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-approvals-'));
    await mkdir(join(folder, 'deployments'));
    return new ApprovalsStage(await FakeStage.open(), folder, secrets);
  }

  /** Writes the deployment file: `policy` and `notify` are lines of YAML without indent. */
  async write(
    name: string,
    { policy = '', notify = '', roles = people }: { policy?: string; notify?: string; roles?: object },
  ): Promise<void> {
    const indented = (text: string): string => text.replace(/^(?=.)/gm, '  ');
    const text = `name: ${name}
topology: cluster
seeds: ["10.0.1.0:6379"]
platform: { kind: process }
backup: { directory: /backups }
policy:
  roles: ${JSON.stringify(roles)}
${indented(policy)}
${notify === '' ? '' : `notify:\n${indented(notify)}`}`;
    parseDeployment(text, `${name}.yaml`, name);
    await writeFile(join(this.folder, 'deployments', `${name}.yaml`), text);
  }

  /** Deploys with that policy, and starts an upgrade of it as olu. */
  async run(
    name: string,
    { policy, notify, shards }: { policy: string; notify: string; shards?: number },
  ): Promise<{ fake: FakeDeployment; operation: Operation }> {
    await this.write(name, { policy, notify });
    return this.fake.run(name, { policy, ...(shards === undefined ? {} : { shards }) });
  }

  /** `rollout approvals`, once it is ready; 200 ms between two looks. */
  async approvals(...args: string[]) {
    const cli = startRollout(
      [
        'approvals',
        '--json',
        '--interval',
        '200ms',
        '--deployments',
        join(this.folder, 'deployments'),
        '--state',
        join(this.folder, 'state'),
        ...args,
      ],
      { env: { TEMPORAL_ADDRESS: this.fake.address, ...this.secrets } },
    );
    this.#running.add(cli);
    void cli.ended.then(() => this.#running.delete(cli));
    const lines = (): { type: string; message?: string }[] =>
      cli
        .stdout()
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { type: string }]));
    const ready = (): Ready | undefined => lines().find(({ type }) => type === 'ready') as Ready | undefined;
    await until('rollout approvals is ready', () => {
      if (cli.child.exitCode !== null) throw new Error(`it ended: ${cli.stderr()}`);
      return Promise.resolve(ready() !== undefined);
    });
    return {
      ...(ready() as Ready),
      warnings: () => lines().flatMap(({ type, message = '' }) => (type === 'warning' ? [message] : [])),
      /** As a machine that loses its power does. */
      kill: async () => {
        cli.child.kill('SIGKILL');
        await cli.ended;
      },
      stop: async () => {
        cli.child.kill('SIGTERM');
        return cli.ended;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cli of this.#running) {
      cli.child.kill('SIGKILL');
      await cli.ended;
    }
    await this.fake[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
