import type * as Sdk from '@aws-crypto/client-node';
import { RolloutError } from '../model/failures.js';

/** A key that never leaves AWS KMS: each object's data key is made and opened there. */
export interface KmsKey {
  keyring: Sdk.KmsKeyringNode;
  /** What KMS refused last; the library tells of it in the midst of a text. */
  refusal(): RolloutError | undefined;
}

type ClientProvider = NonNullable<NonNullable<ConstructorParameters<typeof Sdk.KmsKeyringNode>[0]>['clientProvider']>;

/**
 * KMS is found, and lets in, as with the AWS SDK everywhere: by environment, profile or role of the machine; in the region of
 * the ARN.
 */
export function kmsKey(sdk: typeof Sdk, arn: string): KmsKey {
  let refused: RolloutError | undefined;
  const asked = async <Answer>(answer: Promise<Answer>): Promise<Answer> => {
    try {
      return await answer;
    } catch (error) {
      throw (refused = failureOf(error, arn));
    }
  };
  const clientProvider = ((region: string) => {
    const client = sdk.getKmsClient(region);
    if (client === false) return client;
    const decrypt = client.decrypt.bind(client) as (input: unknown) => Promise<unknown>;
    const generateDataKey = client.generateDataKey.bind(client) as (input: unknown) => Promise<unknown>;
    return Object.assign(Object.create(client) as typeof client, {
      decrypt: (input: unknown) => asked(decrypt(input)),
      generateDataKey: (input: unknown) => asked(generateDataKey(input)),
    });
  }) as unknown as ClientProvider;
  return { keyring: new sdk.KmsKeyringNode({ clientProvider, generatorKeyId: arn }), refusal: () => refused };
}

/** https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html */
function failureOf(error: unknown, arn: string): RolloutError {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  const said = message === '' || message === name ? name : `${name}: ${message}`;
  const passing =
    /^(KMSInternal|DependencyTimeout|Throttling|LimitExceeded|ServiceUnavailable|TimeoutError|ExpiredToken)/.test(
      name,
    ) ||
    (typeof error === 'object' && error !== null && 'code' in error && !('$metadata' in error && name !== 'Error'));
  return new RolloutError(passing ? 'Unreachable' : 'Unauthorized', `kms:${arn} (backup.encryption): ${said}`, {
    cause: error,
  });
}
