import { createHash } from 'node:crypto';
import type * as Sdk from '@aws-crypto/client-node';
import { RolloutError } from '../model/failures.js';
import { kmsKey } from './kms-key.js';
import { FRAME_BYTES, wellFramed } from './sealed-frames.js';
import { resolveSecret } from './secrets.js';
import { through } from './through.js';

/** What an object was sealed as. It is authenticated with the content: an object that lies in another's place is refused. */
export interface SealedAs {
  deployment: string;
  backup: string;
  /** Its name in the target. */
  object: string;
}

type Keyring = Sdk.KeyringNode;

/** Keys that are at hand. */
export interface SealingKeys {
  /** Of the key that seals. It tells keys apart, and nothing about them. */
  id: string;
  /** Of every key that opens. */
  ids: readonly string[];
  sealing: Keyring;
  opening: Sdk.MultiKeyringNode;
  /** What a store of keys refused last. */
  refusal(): RolloutError | undefined;
}

// Loaded only where something is sealed: with its KMS client it takes a third of a second.
const loadSdk = (): Promise<typeof Sdk> => import('@aws-crypto/client-node');

/**
 * Reads the keys that references name. The first seals; all open, so that what was sealed before a key was changed can be
 * read. A key of KMS is asked for when something is sealed or opened, and stays there.
 *
 * @param references `env:NAME` or `file:PATH`, 32 random bytes as base64 or hex; `kms:ARN`
 * @throws RolloutError Unauthorized, naming the reference and never the content
 */
export async function sealingKeys(references: readonly [string, ...string[]]): Promise<SealingKeys> {
  const sdk = await loadSdk();
  const [first, ...older] = references;
  const sealing = await keyOf(sdk, first);
  const all = [sealing, ...(await Promise.all(older.map((it) => keyOf(sdk, it))))];
  return {
    id: sealing.id,
    ids: all.map(({ id }) => id),
    sealing: sealing.keyring,
    opening: new sdk.MultiKeyringNode({ children: all.map(({ keyring }) => keyring) }),
    refusal: () => all.map(({ refusal }) => refusal?.()).find((it) => it !== undefined),
  };
}

interface Key {
  id: string;
  keyring: Keyring;
  refusal?: () => RolloutError | undefined;
}

function keyOf(sdk: typeof Sdk, reference: string): Promise<Key> {
  const arn = /^kms:(.+)$/.exec(reference)?.[1];
  return arn === undefined ? readKey(sdk, reference) : Promise.resolve({ id: arn, ...kmsKey(sdk, arn) });
}

const KEY_BYTES = 32;

async function readKey(sdk: typeof Sdk, reference: string): Promise<Key> {
  const text = (await resolveSecret(reference)).trim();
  const bytes = Buffer.from(text, /^[0-9a-fA-F]{64}$/.test(text) ? 'hex' : 'base64');
  if (bytes.length !== KEY_BYTES)
    throw new RolloutError(
      'Unauthorized',
      `${reference} is no key: expected ${KEY_BYTES} random bytes as base64 or hex (openssl rand -base64 32), found ${bytes.length} bytes`,
    );
  const id = createHash('sha256').update('redis-rollout backup key\n').update(bytes).digest('hex').slice(0, 16);
  // The SDK wipes the bytes that it was given: none of a buffer that others share.
  const unencryptedMasterKey = new Uint8Array(bytes);
  const keyring = new sdk.RawAesKeyringNode({
    keyNamespace: 'redis-rollout',
    keyName: id,
    unencryptedMasterKey,
    wrappingSuite: sdk.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
    utf8Sorting: true,
  });
  return { id, keyring };
}

/** Only suites that commit to their key: no object opens with two keys to two different texts. */
async function client(): Promise<ReturnType<typeof Sdk.buildClient> & { sdk: typeof Sdk }> {
  const sdk = await loadSdk();
  return { ...sdk.buildClient(sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT), sdk };
}

/** What is to leave this process: encrypted with a data key of its own, frame by frame as it comes. */
export async function* seal(
  plain: AsyncIterable<Buffer> | Iterable<Buffer>,
  { keys, as }: { keys: SealingKeys; as: SealedAs },
): AsyncGenerator<Buffer, void, void> {
  const { sdk, encryptStream } = await client();
  const stream = encryptStream(keys.sealing, {
    encryptionContext: { ...as },
    frameLength: FRAME_BYTES,
    suiteId: sdk.AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
  });
  try {
    yield* through(plain, stream);
  } catch (error) {
    throw error instanceof RolloutError ? error : (keys.refusal() ?? error);
  }
}

/**
 * Opens an object. Each piece is authentic when it is given out, and stands where it stood; but the object is whole only
 * once this has come to its end. Until then nothing that was made of it may be used.
 *
 * @throws RolloutError Damaged, naming the object, when a bit of it isn't as it was sealed, when it ends early or goes on, when
 *   it was sealed as another object, or with a key that isn't at hand
 */
export async function* unseal(
  sealed: AsyncIterable<Buffer>,
  { keys, as }: { keys: SealingKeys; as: SealedAs },
): AsyncGenerator<Buffer, void, void> {
  const { decryptUnsignedMessageStream } = await client();
  const stream = decryptUnsignedMessageStream(keys.opening);
  stream.once('MessageHeader', ({ encryptionContext }: { encryptionContext: Readonly<Record<string, string>> }) => {
    const found = Object.entries(encryptionContext);
    const same = Object.entries(as).every(([name, value]) => encryptionContext[name] === value);
    if (same && found.length === Object.keys(as).length) return;
    const was = encryptionContext['object'] ?? 'something else';
    stream.destroy(
      damaged(
        as.object,
        `it was sealed as ${was} of backup ${encryptionContext['backup'] ?? '?'}, and was put here since`,
      ),
    );
  });
  try {
    yield* through(wellFramed(sealed, as.object), stream);
  } catch (error) {
    if (error instanceof RolloutError) throw error;
    if (!(error instanceof Error) || 'syscall' in error || error.name === 'AbortError') throw error;
    const refusal = keys.refusal();
    if (refusal) throw refusal;
    throw damaged(
      as.object,
      /unencryptedDataKey has not been set/.test(error.message)
        ? `none of the keys ${keys.ids.join(', ')} opens it: it was sealed with another, or its beginning was changed`
        : `it is not as it was sealed (${error.message})`,
    );
  }
}

export const damaged = (object: string, why: string): RolloutError => new RolloutError('Damaged', `${object}: ${why}`);
