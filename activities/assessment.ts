import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AssessmentRecords } from '../integrations/assessment-records.js';
import { projectCapacity, type Capacity, type CapacityRecord } from '../model/assessment/capacity.js';
import { documentOf, type AssessmentDocument } from '../model/assessment/document.js';
import { loadOf } from '../model/assessment/load.js';
import { patternOf } from '../model/assessment/pattern.js';
import { renderMarkdown, renderPage } from '../model/assessment/render.js';
import type { GivenScript, NodeSettings, TargetAnswers } from '../model/assessment/survey.js';
import type { Unseen } from '../model/assessment/unseen.js';
import { usageOf } from '../model/assessment/usage.js';
import { leftToUpgrade } from '../model/compatibility/upgrade-path.js';
import { RolloutError } from '../model/failures.js';
import { eachNode } from '../model/in-parallel.js';
import { measuredOf } from '../model/knowledge/measured.js';
import { planWay } from '../model/planning/plan-way.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import type { AssessmentActivities, AssessmentOrder } from '../model/assessment/work.js';
import { lookAt, readClients } from '../redis/assess/look.js';
import { applicationsBy, watchCommands } from '../redis/assess/monitor.js';
import { seeing } from '../redis/assess/sight.js';
import { askTarget } from '../redis/assess/target.js';
import { at, connect } from '../redis/connection.js';
import { readTopology } from '../redis/topology.js';
import { exactTarget } from './assess.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { emptyServer } from './empty-server.js';
import { readFacts } from './facts.js';
import { keepLook, readLooks } from './kept-looks.js';
import { serverFor } from './server-for.js';
import { survey } from './survey.js';

/** Assessments of before that a line of growth is drawn through. */
const MOST_RECORDS = 100;

/** The assessment of an upgrade: it reads the deployment, and asks a server of the target that is thrown away. */
export function assessmentActivities(dependencies: Dependencies): AssessmentActivities {
  return {
    beginAssessment: (input) =>
      heartbeating(async () => {
        const context = await looking(dependencies, input);
        const [topology, way] = [await read(context), await wayOf(context, input)];
        return { from: oldestOf(topology, way), way };
      }),

    lookAtUse: (input) =>
      heartbeating(async () => {
        const context = await looking(dependencies, input);
        const unseen: Unseen[] = [];
        const nodes = await eachNode(allNodes(await read(context)), ({ address }) =>
          seeing({ ...context, unseen }, address, lookAt),
        );
        await keepLook(context.folder, `look-${String(input.look).padStart(4, '0')}`, { nodes, watched: [], unseen });
      }),

    watchUse: (input) =>
      heartbeating(async () => {
        const context = await looking(dependencies, input);
        const topology = await read(context);
        const unseen: Unseen[] = [];
        const { commands } = measuredOf(oldestOf(topology, input.way));
        const watched = await eachNode(topology.shards, ({ primary: { address } }) =>
          seeing({ ...context, unseen }, address, async (sight) => {
            const clients = (await sight.ask('CLIENT LIST', 'whose commands MONITOR tells of', readClients)) ?? [];
            const endpoint = at(context.endpoint, address);
            const options = { endpoint, forMs: input.forMs, commands, applicationAt: applicationsBy(clients) };
            return watchCommands({ ...options, signal: context.signal }).catch((error: unknown) => {
              if (!(error instanceof RolloutError) || error.type !== 'MissingPermission') throw error;
              sight.blind('MONITOR', error.message, 'which applications use which keys');
              return [];
            });
          }),
        );
        await keepLook(context.folder, 'monitor', { nodes: [], watched: watched.flat(), unseen });
      }),

    concludeAssessment: (input) =>
      heartbeating(async (progress) => conclude(await looking(dependencies, input), input, progress)),
  };
}

/** Whoever only looks does without what the user may not see. */
async function looking(dependencies: Dependencies, input: AssessmentOrder): Promise<Context> {
  const context = await contextFor(dependencies, input);
  return { ...context, endpoint: { ...context.endpoint, withoutConfig: true } };
}

const read = ({ endpoint, deployment }: Context): Promise<TopologyView> => readTopology(endpoint, deployment.seeds);

const wayOf = (context: Context, { to, via = [] }: AssessmentOrder): Promise<string[]> =>
  Promise.all([...via, to].map((stop) => exactTarget(context, stop)));

function oldestOf(topology: TopologyView, way: readonly string[]): string {
  const target = way.at(-1) ?? '';
  const running = allNodes(topology).map(({ release }) => release);
  return leftToUpgrade(running, target)[0] ?? running[0] ?? target;
}

type Concluding = Parameters<AssessmentActivities['concludeAssessment']>[0];

async function conclude(
  context: Context,
  input: Concluding,
  progress: (details: unknown) => void,
): Promise<AssessmentDocument> {
  const { deployment, folder } = context;
  const { way, from, assessment, startedBy, startedAt, monitorMs, price } = input;
  const to = way.at(-1) ?? '';
  const topology = await read(context);
  const facts = await readFacts(context, topology);
  const looks = await readLooks(folder);
  const found = await survey(context, { topology, from, sample: input.sample, onProgress: progress });
  const scripts = Object.entries(input.scripts).map(([name, text]) => ({ name, text }));
  const target = await answersOf(context, { from, to, settings: found.settings, scripts });
  const taken = looks.filter(({ nodes }) => nodes.length > 0).map(({ nodes }) => nodes);
  const watched = looks.flatMap((it) => it.watched);
  const usage = usageOf(taken, found.commands ?? measuredOf(from).commands, watched);
  const load = loadOf({ usage, from, survey: found });
  const record = { ...recordOf(assessment, startedAt, topology, found.settings), ...(load ? { load } : {}) };
  const history = await projected(context, record);
  const document = documentOf({
    ...{ assessment, startedBy, startedAt, monitorMs, deployment, topology, way, capacity: history.capacity },
    endedAt: new Date().toISOString(),
    plan: planWay({ deployment, topology, facts }, way),
    evidence: {
      ...{ from, to, target, scripts },
      usage,
      survey: {
        ...found,
        watched,
        unseen: [...found.unseen, ...looks.flatMap(({ unseen }) => unseen), ...history.unseen],
      },
      libraries: Object.entries(input.libraries).map(([application, it]) => {
        const [library = '', version] = it.split('@');
        return { application: patternOf(application), library, ...(version === undefined ? {} : { version }) };
      }),
    },
    ...(price ? { price } : {}),
  });
  await writeFile(join(folder, 'assessment.json'), JSON.stringify(document, null, 2), { mode: 0o600 });
  await writeFile(join(folder, 'assessment.md'), renderMarkdown(document), { mode: 0o600 });
  await writeFile(join(folder, 'assessment.html'), renderPage(document).text, { mode: 0o600 });
  return document;
}

/** A real server of the target, without anything, and what it says. @throws RolloutError MissingServer, StartFailed */
async function answersOf(
  { deployment, signal }: Context,
  questions: { from: string; to: string; settings: readonly NodeSettings[]; scripts: readonly GivenScript[] },
): Promise<TargetAnswers> {
  const server = await serverFor(questions.to, deployment.platform.servers);
  if (!server) throw new RolloutError('MissingServer', `no server of ${questions.to} is at hand to be asked`);
  await using empty = await emptyServer(server.program, signal);
  await using connection = await connect(empty.endpoint);
  return await askTarget(connection, questions);
}

function recordOf(
  assessment: string,
  startedAt: string,
  { shards }: TopologyView,
  settings: readonly NodeSettings[],
): CapacityRecord {
  const limits = settings.flatMap(({ maxClients }) => maxClients ?? []);
  return {
    ...{ format: 1, assessment, at: startedAt },
    shards: Object.fromEntries(
      shards.map(({ name, primary }) => [
        name,
        { usedMemoryBytes: primary.usedMemoryBytes, maxMemoryBytes: primary.maxMemoryBytes, keys: primary.keys },
      ]),
    ),
    connections: Math.max(0, ...settings.map(({ connected }) => connected)),
    ...(limits.length === 0 ? {} : { maxConnections: Math.min(...limits) }),
  };
}

/** A store that is away takes the history with it, and nothing else. */
async function projected(
  { deployment }: Context,
  record: CapacityRecord,
): Promise<{ capacity: Capacity; unseen: Unseen[] }> {
  try {
    const records = await AssessmentRecords.open(deployment);
    const before = (await records.newest(MOST_RECORDS)).filter(({ assessment }) => assessment !== record.assessment);
    await records.put(record);
    return { capacity: projectCapacity([...before, record]), unseen: [] };
  } catch (error) {
    if (!(error instanceof RolloutError)) throw error;
    const unseen = [
      { what: 'assessments of before', nodes: [], why: error.message, left: 'how memory and connections grow' },
    ];
    return { capacity: projectCapacity([record]), unseen };
  }
}
