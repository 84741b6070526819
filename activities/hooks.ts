import { callSigned } from '../integrations/signed-call.js';
import { runOwnCommand } from '../integrations/own-command.js';
import { resolveSecret } from '../integrations/secrets.js';
import { hookEnvironment, type Hook, type HookCall, type HookEnd } from '../model/hooks.js';
import type { HookActivities } from '../model/work.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';

/**
 * At least once: a worker that dies in the middle of one is followed by another, which does it again with the same key. That
 * it fails is its answer, and not the activity's failure.
 */
export const runHook =
  (dependencies: Dependencies): HookActivities['runHook'] =>
  (input) =>
    heartbeating(async () => {
      const { call } = input;
      const { deployment, signal } = await contextFor(dependencies, input);
      const hook = deployment.hooks.find(({ name }) => name === call.hook);
      // Somebody has taken it out of the file, so that it needn't be waited for.
      if (!hook) return { result: 'passed', found: 'it is in the deployment file no more', tookMs: 0 };
      const { problem, said, tookMs } = await done(hook, call, signal);
      return {
        result: problem === undefined ? 'passed' : 'failed',
        found: [problem, said].filter((it) => it !== undefined && it !== '').join(': ') || 'done',
        tookMs,
      } satisfies HookEnd;
    });

async function done({ command, http, timeout }: Hook, call: HookCall, signal: AbortSignal) {
  if (command) return runOwnCommand({ command, timeout, environment: hookEnvironment(call), signal });
  if (!http) return { said: 'its workflow is started by the operation', tookMs: 0 };
  const token = http.token === undefined ? undefined : await resolveSecret(http.token);
  const secret = http.secret === undefined ? undefined : await resolveSecret(http.secret);
  return callSigned({
    ...{ url: http.url, body: call, key: call.key, timeout, signal, now: Date.now() },
    ...(token === undefined ? {} : { token }),
    ...(secret === undefined ? {} : { secret }),
  });
}
