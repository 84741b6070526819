import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { RolloutError } from '../model/failures.js';

export interface TemporalAccess extends AsyncDisposable {
  client: Client;
  connection: Connection;
  /** `host:port` that answered. */
  address: string;
  namespace: string;
}

/**
 * Connects where TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS* or the profile of
 * TEMPORAL_PROFILE say: the same variables and file as the `temporal` CLI's, and none of our own.
 *
 * @param options.timeoutMs deadline of the first answer, ms (default 5000)
 * @throws RolloutError BadInput when the settings can't be read, NoTemporal when nothing answers or lets us in
 */
export async function connectTemporal({ timeoutMs = 5000 }: { timeoutMs?: number } = {}): Promise<TemporalAccess> {
  const { connectionOptions, namespace } = settings();
  const address = connectionOptions.address ?? 'localhost:7233';
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...connectionOptions, address, connectTimeout: timeoutMs });
  } catch (error) {
    throw new RolloutError('NoTemporal', `Temporal at ${address} can't be reached: ${firstLine(error)}`, {
      cause: error,
    });
  }
  return {
    client: new Client({ connection, namespace }),
    connection,
    address,
    namespace,
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

export function settings(): { connectionOptions: ConnectionOptions; namespace: string } {
  try {
    const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
    const { address, apiKey, metadata, tls } = connectionOptions;
    return {
      namespace,
      connectionOptions: {
        ...(address === undefined ? {} : { address }),
        ...(apiKey === undefined ? {} : { apiKey }),
        ...(metadata === undefined ? {} : { metadata }),
        ...(tls === undefined ? {} : { tls }),
      },
    };
  } catch (error) {
    throw new RolloutError(
      'BadInput',
      `the Temporal settings (TEMPORAL_* or the profile in temporal.toml) can't be used: ${firstLine(error)}`,
      { cause: error },
    );
  }
}

/** The client wraps what gRPC said: the reason is often one level down. */
function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message.split('\n')[0] ?? '';
  return error.cause instanceof Error && !text.includes(error.cause.message)
    ? `${text} (${error.cause.message})`
    : text;
}
