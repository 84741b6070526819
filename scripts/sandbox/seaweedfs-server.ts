import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locate } from '../setup/search-path.js';
import { WEED } from '../setup/seaweedfs.js';
import { answering, endAtOnce, filesBelow } from './answering.js';
import { claimPort } from './ports.js';

const PARTS = ['master', 'volume', 'filer', 's3'] as const;

/** A SeaweedFS of one's own, on loopback, without a bucket: it encrypts what lies in it where a bucket asks for that. */
export class SeaweedfsServer implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    readonly endpoint: string,
    private readonly root: string,
    readonly accessKeyId: string,
    readonly secretAccessKey: string,
    private readonly giveBack: () => void,
  ) {}

  /** @throws Error when set-up has not brought it here, or it does not come up */
  static async start(): Promise<SeaweedfsServer> {
    const program = await locate(WEED);
    if (program === undefined) throw new Error('no SeaweedFS here: run `npm run setup -- --only seaweedfs`');
    const root = await mkdtemp(join(tmpdir(), 'redis-rollout-seaweedfs-'));
    const data = join(root, 'data');
    await mkdir(data);
    const [accessKey, secretKey] = [randomBytes(10).toString('hex'), randomBytes(20).toString('hex')];
    const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
    const identities = [{ name: 'test', credentials: [{ accessKey, secretKey }], actions }];
    await writeFile(join(root, 's3.json'), JSON.stringify({ identities }), { mode: 0o600 });
    // Each has another one for gRPC, 10,000 above it.
    const claims = await Promise.all(PARTS.map(() => claimPort()));
    const ports = claims.map(({ port }) => port);
    const options = PARTS.map((part, i) => `-${part}.port=${ports[i] ?? 0}`);
    const child = spawn(
      program,
      [
        ...['server', '-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-dir=${data}`, '-filer', '-s3', ...options],
        ...[`-s3.config=${join(root, 's3.json')}`, '-s3.port.iceberg=0', '-s3.port.lance=0'],
        ...['-master.telemetry=false', '-master.volumeSizeLimitMB=64', '-volume.max=8'],
      ],
      { cwd: root, stdio: 'ignore', env: { ...process.env, WEED_S3_SSE_KEY: randomBytes(16).toString('hex') } },
    );
    const endpoint = `http://127.0.0.1:${ports[3] ?? 0}`;
    const giveBack = (): void => {
      for (const { release } of claims) release();
    };
    return answering('SeaweedFS', child, new SeaweedfsServer(child, endpoint, root, accessKey, secretKey, giveBack));
  }

  /** Every file that it keeps. */
  files(): Promise<string[]> {
    return filesBelow(join(this.root, 'data'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endAtOnce(this.child);
    this.giveBack();
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}
