import { RolloutError } from '../model/failures.js';

export interface PrometheusQuery {
  /** Base address, `http://prometheus:9090`; a path before `/api/v1` is kept. */
  url: string;
  /** Bearer token, resolved. */
  token?: string;
  /** PromQL that yields an instant vector or a scalar. */
  query: string;
  /** Deadline, ms (default 10,000). */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** One series of the answer. A scalar has no labels. */
export interface PrometheusSample {
  labels: Record<string, string>;
  /** May be NaN or infinite, as PromQL's own arithmetic makes it. */
  value: number;
}

/**
 * An instant query at the server's now.
 *
 * @see https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
 * @throws RolloutError Unreachable (network, deadline, an answer that is none of Prometheus), Unauthorized, or BadInput
 *   where the query itself is refused or yields no instant vector
 */
export async function queryPrometheus(input: PrometheusQuery): Promise<PrometheusSample[]> {
  const { url, token, query, timeoutMs = 10_000, signal } = input;
  const address = `${url.replace(/\/+$/, '')}/api/v1/query`;
  const deadline = AbortSignal.timeout(timeoutMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(address, {
      method: 'POST',
      // POST as the API offers it: a long query doesn't fit an address line.
      body: new URLSearchParams({ query }),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
    text = await response.text();
  } catch (error) {
    signal?.throwIfAborted();
    if (deadline.aborted)
      throw new RolloutError('Unreachable', `Prometheus at ${url} did not answer within ${timeoutMs} ms`);
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message;
    throw new RolloutError('Unreachable', `Prometheus at ${url} can't be reached: ${why ?? message}`, { cause: error });
  }
  if (response.status === 401 || response.status === 403)
    throw new RolloutError(
      'Unauthorized',
      `Prometheus at ${url} refused the ${token === undefined ? 'query: it wants a token' : 'token'} (HTTP ${response.status})`,
    );
  return samples(answer(url, response.status, text), url, query);
}

interface Answer {
  status?: unknown;
  error?: unknown;
  data?: { resultType?: unknown; result?: unknown };
}

function answer(url: string, status: number, text: string): Answer {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'status' in body) return body;
  } catch {
    // Said below, with what came instead.
  }
  throw new RolloutError(
    'Unreachable',
    `expected Prometheus at ${url}, found something else (HTTP ${status}: ${JSON.stringify(text.slice(0, 80))})`,
  );
}

function samples({ status, error, data }: Answer, url: string, query: string): PrometheusSample[] {
  if (status !== 'success')
    throw new RolloutError('BadInput', `Prometheus at ${url} refused the query ${query}: ${String(error)}`);
  if (data?.resultType === 'scalar') return [{ labels: {}, value: valueOf(data.result) }];
  if (data?.resultType === 'vector' && Array.isArray(data.result))
    return (data.result as { metric?: Record<string, string>; value?: unknown }[]).map(({ metric, value }) => ({
      labels: metric ?? {},
      value: valueOf(value),
    }));
  throw new RolloutError(
    'BadInput',
    `expected one number a series from ${query}, found a ${String(data?.resultType)}: use an instant vector, for example max(…) or rate(…[1m])`,
  );
}

/** `[time, "0.5"]`; numbers come as text so that `NaN`, `+Inf` and `-Inf` can. Anything else is no number. */
function valueOf(pair: unknown): number {
  const text: unknown = Array.isArray(pair) ? pair[1] : undefined;
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return typeof text === 'string' && text !== '' ? Number(text) : Number.NaN;
}
