import type { DeploymentFile } from '../../model/deployment.js';
import type { OperationStatus } from '../../model/operation.js';

/** The deployment of all scenes. */
export const NAME = 'orders';

/** An upgrade that ends in a way of its own. */
export interface Scene {
  name: string;
  to: string;
  policy: DeploymentFile['policy'];
  /** Of the deployment file, beside its policy. */
  more?: Pick<DeploymentFile, 'hooks' | 'checks'>;
  /** What people do meanwhile; returns when nothing is left for them to do. */
  people: (actors: Actors) => Promise<void>;
}

/** What a scene has at hand to steer its upgrade. */
export interface Actors {
  until: (what: string, condition: (status: OperationStatus) => boolean) => Promise<OperationStatus>;
  update: (name: string, input: object) => Promise<unknown>;
  signal: (name: string, input: object) => Promise<void>;
  /** Changes the deployment file while the upgrade runs. */
  policy: (policy: DeploymentFile['policy']) => Promise<void>;
}

const waits =
  (kind: string, name: string) =>
  ({ waiting }: OperationStatus): boolean =>
    waiting.some((it) => it.kind === kind && it.name === name);
const openHandovers = ({ approvals }: Pick<OperationStatus, 'approvals'>): string[] =>
  approvals.flatMap(({ approval, state }) => (approval.startsWith('handover') && state === 'open' ? [approval] : []));
const approve = (approval: string, by: string) => ({ approval, by });

/** One cluster, carried from 5.0.6 to 8.0.6, and to 8.2.3 and back twice, in operations each of which ends in another way. */
export const scenes: readonly Scene[] = [
  {
    name: 'aborted-at-the-handover',
    to: '8.0.2',
    policy: { approvals: { handover: { roles: ['operations'] } } },
    async people({ until, update }) {
      await until('the handover is asked for', waits('approval', 'handover'));
      await update('abort', { by: 'ana', reason: 'an incident elsewhere' });
    },
  },
  {
    name: 'paused-and-overridden',
    to: '8.0.2',
    policy: {},
    async people({ until, update, signal, policy }) {
      await until('a node is in hand', ({ shards }) => shards.some(({ state }) => state === 'in progress'));
      await update('pause', { by: 'ana', reason: 'lunch' });
      await until('it is paused', waits('pause', 'pause'));
      await policy({ gates: { memoryHeadroom: 1 } });
      await signal('resume', { by: 'ben' });
      await until('the gate blocks', waits('gate', 'memory'));
      await update('override', { by: 'olu', gate: 'memory', reason: 'the export ends soon' });
      await policy({});
    },
  },
  {
    name: 'completed-with-approvals',
    to: '8.0.6',
    policy: {
      parallelShards: 2,
      handover: 'fast',
      approvals: {
        start: { roles: ['engineering'], quorum: 2, expires: '8s' },
        handover: { roles: ['operations'], per: 'shard' },
        finalize: { roles: ['operations'] },
      },
    },
    async people({ until, update, signal }) {
      await until('the start is asked for anew', ({ approvals }) => approvals.length > 1);
      await update('approve', approve('start', 'ana'));
      await signal('approve', approve('start', 'stranger'));
      await signal('approve', approve('start', 'ben'));
      // Shards ask in an order of their own, two of them at the same time.
      for (let n = 1; n <= 3; n++) {
        const { approvals } = await until(`${n} shards ask`, (status) => openHandovers(status).length > 0);
        await update('approve', approve(openHandovers({ approvals })[0] ?? '', 'olu'));
      }
      await until('the end is asked for', waits('approval', 'finalize'));
      await update('approve', approve('finalize', 'olu'));
    },
  },
  {
    name: 'hooked-and-validated',
    to: '8.0.6',
    policy: { parallelShards: 3, handover: 'fast' },
    more: {
      hooks: [{ name: 'tell', at: ['before upgrade', 'before node', 'after handover', 'ended'], command: ['true'] }],
      checks: [{ name: 'cart', of: ['validation'], command: ['true'] }],
    },
    people: () => Promise.resolve(),
  },
  {
    name: 'taken-back',
    to: '8.2.3',
    policy: { parallelShards: 3, handover: 'fast', fallback: 'standby', soak: '1h' },
    async people({ until, update }) {
      await until('it soaks', ({ phase }) => phase === 'soaking');
      await update('fallback', { by: 'ana', reason: 'a drill' });
    },
  },
  {
    name: 'restored',
    to: '8.2.3',
    policy: { parallelShards: 3, handover: 'fast', fallback: 'backup', soak: '1h' },
    async people({ until, update }) {
      await until('it soaks', ({ phase }) => phase === 'soaking');
      await update('fallback', { by: 'ana', reason: 'a drill', restore: true });
      await until('the restore is asked for', waits('approval', 'restore'));
      await update('approve', approve('restore', 'olu'));
    },
  },
];
