import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMS } from '@aws-crypto/client-node';
import { LOCAL_KMS } from '../setup/local-kms.js';
import { locate } from '../setup/search-path.js';
import { answering, endAtOnce } from './answering.js';
import { claimPort } from './ports.js';

/** An AWS KMS of one's own, on loopback; its keys are thrown away at the end. */
export class KmsServer implements AsyncDisposable {
  readonly #client: KMS;

  private constructor(
    private readonly child: ChildProcess,
    readonly endpoint: string,
    private readonly root: string,
    private readonly giveBackPort: () => void,
  ) {
    this.#client = new KMS({ region: this.region, endpoint, credentials: this.credentials });
  }

  /** @throws Error when set-up has not brought it here, or it does not come up */
  static async start(): Promise<KmsServer> {
    const program = await locate(LOCAL_KMS);
    if (program === undefined) throw new Error('no local KMS here: run `npm run setup -- --only local-kms`');
    const root = await mkdtemp(join(tmpdir(), 'redis-rollout-kms-'));
    const { port, release } = await claimPort();
    const child = spawn(program, [String(port), join(root, 'keys')], { stdio: 'ignore' });
    return answering('the KMS', child, new KmsServer(child, `http://127.0.0.1:${port}`, root, release));
  }

  get region(): string {
    return 'eu-central-1';
  }
  /** It takes any. */
  get credentials(): { accessKeyId: string; secretAccessKey: string } {
    return { accessKeyId: 'test', secretAccessKey: 'test' };
  }

  /** @returns its ARN */
  async createKey(): Promise<string> {
    const { KeyMetadata } = await this.#client.createKey({});
    if (KeyMetadata?.Arn === undefined) throw new Error('the KMS has made no key');
    return KeyMetadata.Arn;
  }

  async disable(KeyId: string): Promise<void> {
    await this.#client.disableKey({ KeyId });
  }
  async enable(KeyId: string): Promise<void> {
    await this.#client.enableKey({ KeyId });
  }

  /** For whoever looks for it as the AWS SDK does. */
  get environment(): Record<string, string> {
    const { accessKeyId, secretAccessKey } = this.credentials;
    return {
      AWS_ENDPOINT_URL_KMS: this.endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    await endAtOnce(this.child);
    this.giveBackPort();
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}
