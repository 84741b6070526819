import { runContainer, type OwnContainer } from '../integrations/container.js';
import { runOwnCommand, type CommandEnd, type OwnCommand } from '../integrations/own-command.js';
import type { Check, CheckResult } from '../model/checks.js';
import type { Deployment } from '../model/deployment.js';
import { addressOf, type Endpoint } from '../redis/connection.js';

/** What a check finds in its environment. */
interface Checked {
  /** Any one node, with the user and the password that reach all of them. */
  endpoint: Endpoint;
  /** `host:port` of each. */
  nodes: readonly string[];
  /** The deployment's, whose files the worker can read. */
  tls?: Deployment['tls'];
  signal: AbortSignal;
}

/**
 * Runs a command of the deployment file against a cluster, which it finds in REDIS_URL, REDIS_HOST, REDIS_PORT,
 * REDIS_USERNAME, REDIS_PASSWORD and REDIS_NODES (`host:port,host:port`); with TLS in REDIS_CA, REDIS_CERT and REDIS_KEY,
 * too, which are paths. Exit code 0 is a pass.
 */
export const runCheck = async ({ name, command, timeout }: Check, checked: Checked): Promise<CheckResult> =>
  judged(name, await runOwnCommand({ command, timeout, ...surroundings(checked) }));

/** The same of an image; without TLS, whose files are the worker's. */
export const runContainerCheck = async (
  check: string,
  container: Pick<OwnContainer, 'name' | 'image' | 'command' | 'timeout'>,
  checked: Omit<Checked, 'tls'>,
): Promise<CheckResult> => judged(check, await runContainer({ ...container, ...surroundings(checked) }));

const judged = (check: string, { problem, said, tookMs }: CommandEnd): CheckResult => ({
  ...{ check, result: problem === undefined ? 'passed' : 'failed', tookMs },
  found: [problem, said].filter((it) => it !== undefined && it !== '').join(': ') || 'exit code 0',
});

function surroundings(checked: Checked): Pick<OwnCommand, 'environment' | 'secrets' | 'signal'> {
  const { password = '' } = checked.endpoint;
  const secrets = [password, encodeURIComponent(password)];
  return { environment: environmentOf(checked), secrets, signal: checked.signal };
}

function environmentOf({ endpoint, nodes, tls }: Checked): Record<string, string> {
  const { host, port, username = '', password = '' } = endpoint;
  const who = password === '' ? '' : `${encodeURIComponent(username)}:${encodeURIComponent(password)}@`;
  const files = { REDIS_CA: tls?.ca, REDIS_CERT: tls?.cert, REDIS_KEY: tls?.key };
  return {
    REDIS_URL: `${endpoint.tls === undefined ? 'redis' : 'rediss'}://${who}${addressOf(endpoint)}`,
    ...{ REDIS_HOST: host, REDIS_PORT: String(port), REDIS_NODES: nodes.join(',') },
    ...{ REDIS_USERNAME: username, REDIS_PASSWORD: password },
    ...Object.fromEntries(Object.entries(files).flatMap(([name, file]) => (file === undefined ? [] : [[name, file]]))),
  };
}
