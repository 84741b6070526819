import { createHash } from 'node:crypto';
import type * as Sdk from '@aws-sdk/client-s3';
import { RolloutError } from '../model/failures.js';
import type { StoredObject, Unfinished } from '../model/leftovers.js';
import type { BackupTarget } from './backup-target.js';
import { putInParts } from './s3-parts.js';
import { damaged } from './sealed.js';

export interface S3Settings {
  bucket: string;
  /** Before every name, without a slash at its end. */
  prefix?: string | undefined;
  region: string;
  /** Of a store that is not AWS's own. */
  endpoint?: string | undefined;
  /** Without them the SDK's own chain: environment, profile, role of the machine. */
  credentials?: { accessKeyId: string; secretAccessKey: string };
  /** How what is put is locked; `for` in ms. */
  objectLock?: { mode: 'governance' | 'compliance'; for: number } | undefined;
}

/** Longest that the store may say nothing, ms; a part of 16 MB takes this long at 270 kB/s. */
const SILENCE_MS = 60_000;

/** A bucket of S3, or of a store that speaks its protocol. */
export async function s3Target(settings: S3Settings): Promise<BackupTarget> {
  const { bucket, prefix, region, endpoint, credentials, objectLock } = settings;
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    // 503 and SlowDown, lost connections and time-outs are tried again, later each time; after that it is the activity's turn.
    maxAttempts: 5,
    requestHandler: { connectionTimeout: 5000, requestTimeout: SILENCE_MS },
    // Other stores don't know the newer checksums. What we ask for is said with each call.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const base = prefix === undefined || prefix === '' ? '' : `${prefix}/`;
  const name = `s3://${bucket}${prefix ? `/${prefix}` : ''}`;
  const at = (object: string) => ({ Bucket: bucket, Key: base + object });
  const failure = (error: unknown, object?: string): unknown => failureOf(error, { bucket, name, object });

  /** What died on the way costs money for as long as it lies there. */
  async function abortEarlier(object: string): Promise<void> {
    const { Key } = at(object);
    const { Uploads = [] } = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: Key }));
    for (const { Key: key, UploadId } of Uploads)
      if (key === Key && UploadId !== undefined)
        await client.send(new sdk.AbortMultipartUploadCommand({ ...at(object), UploadId })).catch(unlessGone);
  }

  async function objectsBelow(below: string): Promise<StoredObject[]> {
    const found: StoredObject[] = [];
    try {
      const pages = sdk.paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: base + below });
      for await (const { Contents = [] } of pages)
        for (const { Key, Size = 0, LastModified } of Contents)
          if (Key !== undefined)
            found.push({
              ...{ object: Key.slice(base.length), bytes: Size },
              modifiedAt: LastModified?.getTime() ?? Date.now(),
            });
    } catch (error) {
      throw failure(error);
    }
    return found.sort((a, b) => (a.object < b.object ? -1 : 1));
  }

  const lock = (): Pick<Sdk.PutObjectCommandInput, 'ObjectLockMode' | 'ObjectLockRetainUntilDate'> =>
    objectLock === undefined
      ? {}
      : {
          ObjectLockMode: objectLock.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
          ObjectLockRetainUntilDate: new Date(Date.now() + objectLock.for),
        };

  /** A bucket with object lock keeps versions: without naming them, nothing is removed, but hidden. */
  async function versionsOf(object: string): Promise<{ Key: string; VersionId?: string }[]> {
    const { Key } = at(object);
    if (objectLock === undefined) return [{ Key }];
    const found: { Key: string; VersionId?: string }[] = [];
    for (let KeyMarker: string | undefined, VersionIdMarker: string | undefined, more = true; more;) {
      const page = await client.send(
        new sdk.ListObjectVersionsCommand({ Bucket: bucket, Prefix: Key, KeyMarker, VersionIdMarker }),
      );
      for (const { Key: key, VersionId } of [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])])
        if (key === Key && VersionId !== undefined) found.push({ Key, VersionId });
      [KeyMarker, VersionIdMarker] = [page.NextKeyMarker, page.NextVersionIdMarker];
      more = page.IsTruncated === true;
    }
    return found;
  }

  return {
    name,

    async put(object, content) {
      const hash = createHash('sha256');
      let bytes = 0;
      const parts: Sdk.CompletedPart[] = [];
      let UploadId: string | undefined;
      try {
        await abortEarlier(object);
        const begun = await client.send(
          new sdk.CreateMultipartUploadCommand({ ...at(object), ChecksumAlgorithm: 'SHA256', ...lock() }),
        );
        ({ UploadId } = begun);
        await putInParts(object, content, async ({ number: PartNumber, bytes: body }) => {
          hash.update(body);
          bytes += body.length;
          const ChecksumSHA256 = createHash('sha256').update(body).digest('base64');
          const part = { ...at(object), UploadId, PartNumber, Body: body, ContentLength: body.length, ChecksumSHA256 };
          const { ETag } = await client.send(new sdk.UploadPartCommand(part));
          parts.push({ PartNumber, ETag, ChecksumSHA256 });
        });
        const whole = { ...at(object), UploadId, MultipartUpload: { Parts: parts } };
        await client.send(new sdk.CompleteMultipartUploadCommand(whole));
      } catch (error) {
        // Where that can't be done now either, the next attempt at this object does it.
        if (UploadId !== undefined)
          await client.send(new sdk.AbortMultipartUploadCommand({ ...at(object), UploadId })).catch(() => undefined);
        throw failure(error, object);
      }
      return { bytes, sha256: hash.digest('hex') };
    },

    async putAtOnce(object, content) {
      const hash = createHash('sha256').update(content).digest();
      const body = { Body: content, ContentLength: content.length, ChecksumSHA256: hash.toString('base64') };
      try {
        await client.send(new sdk.PutObjectCommand({ ...at(object), ...body, ...lock() }));
      } catch (error) {
        throw failure(error, object);
      }
      return { bytes: content.length, sha256: hash.toString('hex') };
    },

    async putNew(object, content) {
      const body = { Body: content, ContentLength: content.length };
      const ChecksumSHA256 = createHash('sha256').update(content).digest('base64');
      try {
        await client.send(
          new sdk.PutObjectCommand({ ...at(object), ...body, ChecksumSHA256, ...lock(), IfNoneMatch: '*' }),
        );
        return true;
      } catch (error) {
        if (isTaken(error)) return false;
        throw failure(error, object);
      }
    },

    async *get(object) {
      try {
        const { Body } = await client.send(new sdk.GetObjectCommand(at(object)));
        yield* Body as AsyncIterable<Buffer>;
      } catch (error) {
        throw failure(error, object);
      }
    },

    list: async (below) => (await objectsBelow(below)).map(({ object }) => object),
    objects: objectsBelow,

    async unfinished(below) {
      const found: Unfinished[] = [];
      try {
        for (let KeyMarker: string | undefined, UploadIdMarker: string | undefined, more = true; more;) {
          const page = await client.send(
            new sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: base + below, KeyMarker, UploadIdMarker }),
          );
          for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
            if (Key !== undefined && UploadId !== undefined)
              found.push({ object: Key.slice(base.length), id: UploadId, begunAt: Initiated?.getTime() ?? Date.now() });
          [KeyMarker, UploadIdMarker] = [page.NextKeyMarker, page.NextUploadIdMarker];
          more = page.IsTruncated === true;
        }
      } catch (error) {
        throw failure(error);
      }
      return found;
    },

    async abort({ object, id }) {
      try {
        await client.send(new sdk.AbortMultipartUploadCommand({ ...at(object), UploadId: id })).catch(unlessGone);
      } catch (error) {
        throw failure(error, object);
      }
    },

    async lockedUntil(object) {
      try {
        const { ObjectLockLegalHoldStatus, ObjectLockRetainUntilDate: until } = await client.send(
          new sdk.HeadObjectCommand(at(object)),
        );
        if (ObjectLockLegalHoldStatus === 'ON') return 'somebody lifts its legal hold';
        return until !== undefined && until.getTime() > Date.now() ? until.toISOString() : undefined;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw failure(error, object);
      }
    },

    async remove(object) {
      try {
        for (const version of await versionsOf(object))
          await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, ...version }));
        return true;
      } catch (error) {
        if (isMissing(error)) return true;
        if (isLocked(error)) return false;
        throw failure(error, object);
      }
    },
  };
}

const isMissing = (error: unknown): boolean => ['NotFound', 'NoSuchKey'].includes((error as Error).name);

/** 409 where another is being put at this moment: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html. */
const isTaken = (error: unknown): boolean =>
  [409, 412].includes((error as Partial<Sdk.S3ServiceException>).$metadata?.httpStatusCode ?? 0);

/** Stores have no code of its own for it. */
const isLocked = (error: unknown): boolean =>
  error instanceof Error &&
  (error as Partial<Sdk.S3ServiceException>).$metadata?.httpStatusCode === 403 &&
  /object lock|WORM|retention/i.test(error.message);

function unlessGone(error: unknown): void {
  if ((error as Error).name !== 'NoSuchUpload') throw error;
}

const unauthorized = /^(AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|CredentialsProviderError)/;
/** Others are on their way: a role's are had anew by each attempt, and what a reference names is read anew. */
const expired = /^(ExpiredToken|TokenRefreshRequired|RequestTimeTooSkewed)/;
const FIELDS = 'backup.target.accessKeyId and secretAccessKey';

/** What S3 answers, in our words: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. */
function failureOf(
  error: unknown,
  { bucket, name, object }: { bucket: string; name: string; object: string | undefined },
): unknown {
  if (error instanceof RolloutError || !(error instanceof Error)) return error;
  const status = (error as Partial<Sdk.S3ServiceException>).$metadata?.httpStatusCode;
  const what = object === undefined ? name : `${name}/${object}`;
  const said = error.message === '' || error.message === error.name ? error.name : `${error.name}: ${error.message}`;
  const failed = (type: ConstructorParameters<typeof RolloutError>[0], why: string): RolloutError =>
    new RolloutError(type, `${what}: ${why}`, { cause: error });
  if (error.name === 'NoSuchBucket') return failed('BadDeploymentFile', `there is no bucket ${bucket} (backup.target)`);
  if (/object ?lock ?configuration/i.test(error.message))
    return failed('BadDeploymentFile', `bucket ${bucket} was made without object lock (backup.target.objectLock)`);
  if (error.name === 'NoSuchKey' && object !== undefined) return damaged(object, `it is missing in ${name}`);
  // Some say it with 403, as what is forbidden.
  if (/^(QuotaExceeded|InsufficientCapacity|XMinioStorageFull)/.test(error.name) || status === 507)
    return failed('NoSpace', said);
  if (expired.test(error.name)) return failed('Unreadable', `${said} (${FIELDS})`);
  if (unauthorized.test(error.name) || status === 401 || status === 403)
    return failed('Unauthorized', `${said} (${FIELDS})`);
  // Not the store's, nor the network's: what was to be stored failed.
  if (status === undefined && !isNetwork(error)) return error;
  return failed('Unreachable', said);
}

const isNetwork = (error: Error): boolean => 'code' in error || '$metadata' in error || error.name === 'TimeoutError';
