import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { vi } from 'vitest';
import type { DeploymentFile } from '../../../model/deployment.js';
import type { S3Server } from '../../../scripts/sandbox/s3-server.js';
import { Stage } from '../../../scripts/sandbox/stage.js';

type Backup = DeploymentFile['backup'];
type S3Target = Extract<Backup['target'], { kind: 's3' }>;

/** Of every backup here; the worker and the test find it in their environment. */
export const encryption = { key: 'env:ROLLOUT_TEST_BACKUP_KEY' };

/** A stage with the secrets of a backup, which the test has too, until `vi.unstubAllEnvs`. */
export async function openBackupStage(
  s3?: S3Server,
  {
    secrets = {},
    worker = {},
    node,
  }: { secrets?: Record<string, string>; worker?: Record<string, string>; node?: string } = {},
): Promise<Stage> {
  const environment = {
    ROLLOUT_TEST_BACKUP_KEY: randomBytes(32).toString('base64'),
    ROLLOUT_TEST_OTHER_KEY: randomBytes(32).toString('base64'),
    ...(s3 ? { ROLLOUT_TEST_S3_ID: s3.accessKeyId, ROLLOUT_TEST_S3_SECRET: s3.secretAccessKey } : {}),
    ...secrets,
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  return Stage.open({
    ...{ environment: { ...environment, ...worker }, quickRetries: true },
    ...(node === undefined ? {} : { node }),
  });
}

/** `backup` of a deployment file: into a bucket. */
export const inBucket = (stage: Stage, s3: S3Server, target: Partial<S3Target> = {}): Backup => ({
  directory: join(stage.root, 'backups'),
  encryption,
  target: {
    ...{ kind: 's3', bucket: s3.bucket, endpoint: s3.endpoint },
    ...{ accessKeyId: 'env:ROLLOUT_TEST_S3_ID', secretAccessKey: 'env:ROLLOUT_TEST_S3_SECRET' },
    ...target,
  },
});

/** What a workflow failed with. */
export async function failureOf(ended: Promise<unknown>): Promise<{ type: string; message: string }> {
  const error: unknown = await ended.then(
    (result) => new Error(`expected a failure, found ${JSON.stringify(result)}`),
    (error: unknown) => error,
  );
  if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure)) throw error;
  return { type: error.cause.type ?? '', message: error.cause.message };
}

/** What activities that are tried again failed with last. */
export async function lastFailure(handle: WorkflowHandle): Promise<string> {
  const { raw } = await handle.describe();
  return (raw.pendingActivities ?? []).map(({ lastFailure: it }) => it?.message ?? '').join(' ');
}
