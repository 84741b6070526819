import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { locate } from '../setup/search-path.js';
import { VERSITYGW } from '../setup/versitygw.js';
import { answering, endAtOnce, filesBelow } from './answering.js';
import { claimPort } from './ports.js';

const run = promisify(execFile);

/** An S3 server of one's own, on loopback, with one empty bucket; it and what is in it are thrown away at the end. */
export class S3Server implements AsyncDisposable {
  readonly bucket = 'backups';

  private constructor(
    private readonly child: ChildProcess,
    /** `127.0.0.1:port`. */
    readonly address: string,
    private readonly root: string,
    readonly accessKeyId: string,
    readonly secretAccessKey: string,
    private readonly giveBackPort: () => void,
    private readonly mounted: boolean,
  ) {}

  /**
   * @param options.versions buckets can keep versions of their objects, as those with object lock do
   * @param options.diskBytes its bucket lies on a disk of this size; only where this user may mount one (root on Linux)
   * @throws Error when set-up has not brought it here, or it does not come up
   */
  static async start({
    versions = false,
    diskBytes,
  }: { versions?: boolean; diskBytes?: number } = {}): Promise<S3Server> {
    const program = await locate(VERSITYGW);
    if (program === undefined) throw new Error('no versitygw here: run `npm run setup -- --only versitygw`');
    const root = await mkdtemp(join(tmpdir(), 'redis-rollout-s3-'));
    // A bucket is a folder. What it knows of an object lies beside, since not every file system has room for it.
    await mkdir(join(root, 'data'));
    if (diskBytes !== undefined)
      await run('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'redis-rollout', join(root, 'data')]);
    await mkdir(join(root, 'data', 'backups'));
    await mkdir(join(root, 'about'));
    await mkdir(join(root, 'versions'));
    const { port, release } = await claimPort();
    const address = `127.0.0.1:${port}`;
    const [access, secret] = [randomBytes(10).toString('hex'), randomBytes(20).toString('hex')];
    const child = spawn(
      program,
      [
        ...['--port', address, '--quiet', 'posix', '--sidecar', join(root, 'about')],
        ...(versions ? ['--versioning-dir', join(root, 'versions')] : []),
        join(root, 'data'),
      ],
      { stdio: 'ignore', env: { ...process.env, ROOT_ACCESS_KEY: access, ROOT_SECRET_KEY: secret } },
    );
    return answering(
      'versitygw',
      child,
      new S3Server(child, address, root, access, secret, release, diskBytes !== undefined),
    );
  }

  get endpoint(): string {
    return `http://${this.address}`;
  }

  /** Where an object's bytes lie, to be spoilt there. */
  file(object: string): string {
    return join(this.root, 'data', this.bucket, object);
  }

  /** Every file that it keeps, parts of unfinished uploads among them. */
  files(): Promise<string[]> {
    return filesBelow(join(this.root, 'data'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endAtOnce(this.child);
    this.giveBackPort();
    if (this.mounted) await run('umount', ['--lazy', join(this.root, 'data')]);
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}
