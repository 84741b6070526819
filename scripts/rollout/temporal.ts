import type { TemporalAccess } from '../../workers/client.js';
import { NAME, operationId } from '../../model/names.js';
import { Complaint } from './complaint.js';

/**
 * Connects, does the work, disconnects; what Temporal says of failures becomes a complaint that names the remedy.
 * The client is loaded only here: `rollout --help` should not wait for gRPC.
 */
export async function withTemporal<T>(work: (temporal: TemporalAccess) => Promise<T>): Promise<T> {
  const { connectTemporal } = await import('../../workers/client.js');
  await using temporal = await connectTemporal();
  try {
    return await work(temporal);
  } catch (error) {
    throw await temporalComplaint(error, temporal);
  }
}

/** Names of deployments and ids of operations alike: `orders` is `redis/orders`, `redis/orders/shard-1` is itself. */
export function workflowIdOf(name: string): string {
  if (name.includes('/') && name.startsWith(operationId(''))) return name;
  if (!NAME.test(name))
    throw new Complaint(
      'usage',
      `'${name}' is no name of a deployment: expected lower-case letters, digits and dashes`,
      ['Name the deployment, not its file: rollout status orders'],
    );
  return operationId(name);
}

/** The server that no worker polls answers at once, or not at all: both mean the same to a person. */
export async function isNoWorker(error: unknown): Promise<boolean> {
  const { isGrpcCancelledError, isGrpcDeadlineError, WorkflowUpdateRPCTimeoutOrCancelledError } =
    await import('@temporalio/client');
  return (
    error instanceof WorkflowUpdateRPCTimeoutOrCancelledError ||
    isGrpcDeadlineError(error) ||
    // Nothing here cancels a call: it is the server's own word for having waited long enough.
    isGrpcCancelledError(error) ||
    /no poller seen for task queue/i.test(reasonOf(error))
  );
}

/** Did Temporal, or a worker through it, answer with an error? */
export async function isServiceError(error: unknown): Promise<boolean> {
  const { ServiceError } = await import('@temporalio/client');
  return error instanceof ServiceError;
}

/** Is it a passing fault of the connection, which may be tried again? */
export async function isConnectionLost(error: unknown): Promise<boolean> {
  const { isGrpcServiceError } = await import('@temporalio/client');
  const cause = error instanceof Error ? error.cause : undefined;
  return [error, cause].some((it) => isGrpcServiceError(it) && codeOf(it) === grpc.UNAVAILABLE);
}

/** https://grpc.io/docs/guides/status-codes; the enum is in a package that is not a dependency of ours. */
const grpc = { PERMISSION_DENIED: 7, UNAVAILABLE: 14, UNAUTHENTICATED: 16 };
const codeOf = ({ code }: { code: number }): number => code;

async function temporalComplaint(error: unknown, { address, namespace }: TemporalAccess): Promise<unknown> {
  const { isGrpcServiceError, WorkflowNotFoundError } = await import('@temporalio/client');
  const { NamespaceNotFoundError } = await import('@temporalio/common');
  if (error instanceof NamespaceNotFoundError)
    return new Complaint('unreachable', `Temporal at ${address} has no namespace '${namespace}'`, [
      'Name another in TEMPORAL_NAMESPACE, or create it: temporal operator namespace create -n ' + namespace,
    ]);
  if (error instanceof WorkflowNotFoundError)
    return new Complaint(
      'refused',
      `no operation ${error.workflowId} is known in namespace '${namespace}' of ${address}`,
      [`See what there is: temporal workflow list --query 'RedisDeployment IS NOT NULL'`],
    );
  if (await isNoWorker(error)) return noWorker(address, namespace);
  if (await isConnectionLost(error))
    return new Complaint('unreachable', `Temporal at ${address} is not there any more: ${reasonOf(error)}`, [
      'Operations go on where they stood once it is back.',
    ]);
  const cause = error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : error;
  if (isGrpcServiceError(cause) && [grpc.PERMISSION_DENIED, grpc.UNAUTHENTICATED].includes(codeOf(cause)))
    return new Complaint('unreachable', `Temporal at ${address} doesn’t let us in: ${cause.details}`, [
      'Check TEMPORAL_API_KEY, TEMPORAL_TLS* and TEMPORAL_NAMESPACE.',
    ]);
  if (await isServiceError(error))
    return new Complaint('unexpected', `Temporal at ${address} refused: ${reasonOf(error)}`, [], { cause: error });
  return error;
}

export function noWorker(address: string, namespace: string): Complaint {
  return new Complaint('noWorker', `no worker answers for namespace '${namespace}' of Temporal at ${address}`, [
    'Start one where the deployment files and the nodes are: rollout worker',
    'Operations go on where they stood once it runs.',
  ]);
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
