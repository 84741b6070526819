import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { heartbeating } from '../../activities/context.js';
import { FailureInterceptor } from '../../activities/failure.js';
import { writeFiles } from '../../activities/report.js';
import { TASK_QUEUE } from '../../model/names.js';
import type { OperationStatus } from '../../model/operation.js';
import type { Activities } from '../../model/work.js';
import { collectReport } from '../../workers/collect-report.js';
import { boundHeaps, caching, collectStart } from '../../workers/memory.js';
import { peakRssBytes } from '../sandbox/peak-memory.js';
import type { SimulationOptions } from './attempts.js';
import { SimulatedDeployment } from './deployment.js';
import type { Violation } from './invariants.js';
import { checkStatement, unfinished } from './statement.js';

/** What the driver asks of the process, each with an answer. */
export interface Requests {
  deploy: { input: { name: string; options: SimulationOptions }; answer: null };
  /** An operation has ended: is what it says true? Then the deployment is made whole for the next try. */
  ended: {
    input: { name: string; status: OperationStatus };
    answer: { violations: Violation[]; steps: number; whole: boolean };
  };
  forget: { input: { name: string }; answer: null };
  memory: { input: null; answer: { peakRssBytes: number } };
}
export type Asked = {
  [Name in keyof Requests]: { id: number; name: Name; input: Requests[Name]['input'] };
}[keyof Requests];

// The worker of a simulation, in a process of its own so that its memory is its own. It runs the workflows as they are;
// the activities are those of simulated deployments.
const [, , address = '', bundleFile = '', folder = ''] = process.argv;
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
boundHeaps();
const deployments = new Map<string, SimulatedDeployment>();
const connection = await Connection.connect({ address });
const native = await NativeConnection.connect({ address });
const { workflow } = new Client({ connection });

const worker = await Worker.create({
  connection: native,
  taskQueue: TASK_QUEUE,
  workflowBundle: JSON.parse(await readFile(bundleFile, 'utf8')) as WorkflowBundleWithSourceMap,
  activities: dispatching(),
  ...caching,
  interceptors: { activity: [() => ({ inbound: new FailureInterceptor() })] },
});
collectStart();
const running = worker.run();

/** Each activity goes to the deployment that its input names. */
function dispatching(): Activities {
  const names = Object.keys(new SimulatedDeployment('any', { seed: 0, shards: 1, faults: 'none' }));
  const to = (name: string) => (input: { deployment: string }) => {
    const act = Reflect.get(named(input.deployment), name) as (input: unknown) => unknown;
    return act(input);
  };
  return Object.fromEntries(names.map((name) => [name, to(name)])) as unknown as Activities;
}

function named(name: string): SimulatedDeployment {
  const deployment = deployments.get(name);
  if (!deployment) throw new Error(`there is no simulated ${name}`);
  return deployment;
}

const answers: { [Name in keyof Requests]: (input: Requests[Name]['input']) => Requests[Name]['answer'] } = {
  deploy({ name, options }) {
    const deployment = new SimulatedDeployment(name, options);
    // What a report costs the worker is part of it.
    deployment.report = (workflowId, runId) =>
      heartbeating(async () => writeFiles(folder, await collectReport(workflow, workflowId, runId)));
    deployments.set(name, deployment);
    return null;
  },
  ended({ name, status }) {
    const deployment = named(name);
    checkStatement(deployment, status);
    deployment.cluster.heal();
    const whole = deployment.cluster.nodes.every((node) => unfinished(node) === undefined);
    return { violations: deployment.violations.splice(0), steps: deployment.steps, whole };
  },
  forget: ({ name }) => (deployments.delete(name), null),
  memory: () => ({
    peakRssBytes: process.platform === 'linux' ? peakRssBytes(process.pid) : process.resourceUsage().maxRSS * 1024,
  }),
};

process.on('message', (asked: Asked) => {
  const answer = (answers[asked.name] as (input: unknown) => unknown)(asked.input);
  process.send?.({ id: asked.id, answer });
});
process.once('disconnect', () => worker.shutdown());
process.send?.('polling');
await running;
await native.close();
await connection.close();
process.exit(0);
