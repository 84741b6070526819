/** The closed list of what can go wrong: is it worth another try, and what does the person on duty do next? */
export const failures = {
  BadInput: { retry: false, next: 'Correct the named field and start again; nothing was touched.' },
  UnknownDeployment: { retry: false, next: 'Check the name, or ROLLOUT_DEPLOYMENTS on the worker.' },
  BadDeploymentFile: { retry: false, next: 'Correct the file at the named line; nothing was touched.' },
  BadTarget: { retry: false, next: 'Choose another target version; `rollout plan` shows what each would take.' },
  WrongWorkflowId: { retry: false, next: 'Start it under the id that the message names: the id is the lock.' },
  Unreachable: { retry: true, next: 'Check host, port, network and TLS from the worker’s machine.' },
  NoTemporal: {
    retry: true,
    next: 'Start one with `temporal server start-dev` or `npm run demo -- --keep`, or name yours in TEMPORAL_ADDRESS.',
  },
  Unauthorized: { retry: false, next: 'Check the credentials reference, and the user’s permissions.' },
  MissingPermission: { retry: false, next: 'Grant the named commands to the user, and start again.' },
  Degraded: { retry: false, next: 'Bring the cluster to health first; the message names what is wrong.' },
  MissingServer: { retry: false, next: 'Run `npm run setup`, or name the binary under platform.servers.' },
  StartFailed: { retry: false, next: 'Read the end of the node’s log in the message.' },
  NodeHung: { retry: true, next: 'Look at the process; a stopped or swapping node answers nothing.' },
  Fenced: { retry: false, next: 'A newer attempt holds the node; this one stood back. Nothing to do.' },
  NotCaughtUp: { retry: false, next: 'Look at link, offset and output buffers of the named replica.' },
  RolesUnsettled: { retry: true, next: 'Look at the named nodes’ logs; the new primary serves.' },
  Different: { retry: false, next: 'Look at the named keys; the node was not released.' },
  HandoverFailed: { retry: false, next: 'See the reason, and who serves; then start again.' },
  BackupFailed: { retry: true, next: 'Check the directory and its free space.' },
  Damaged: {
    retry: false,
    next: 'Nothing of it was loaded. Take another backup, and look at who may write to the target: `rollout backups` lists the others.',
  },
  Unreadable: {
    retry: true,
    next: 'Mend the deployment file or the secret on the worker: what is under way goes on by itself.',
  },
  NoSpace: { retry: true, next: 'Make room on the disk that the message names; what was asked for is tried again.' },
  NoMemory: {
    retry: true,
    next: 'Free memory on the machine that the message names, or ask for less of it (no standbys; a drill of a part); what was asked for is tried again.',
  },
  TargetFull: {
    retry: false,
    next: 'Raise maxmemory of the named node, or restore less (--keys, --slots). Started again, the restore writes all of it again.',
  },
  DrillFailed: {
    retry: false,
    next: 'Read what was found, step by step: `rollout drills`. No node of the deployment was touched.',
  },
  StandbyLost: {
    retry: false,
    next: 'Going back without loss is over for the named shard: decide by its backup, and remove the standby.',
  },
  Stopped: { retry: false, next: 'Follow the message: its last line is the command that goes on where it stood.' },
  Lost: { retry: false, next: 'Keep everything as it is and read the ledger’s list.' },
} as const satisfies Record<string, { retry: boolean; next: string }>;

export type FailureType = keyof typeof failures;

/** A failure with a type of the closed list. Activities turn it into Temporal's ApplicationFailure. */
export class RolloutError extends Error {
  override readonly name = 'RolloutError';
  constructor(
    readonly type: FailureType,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
  get retryable(): boolean {
    return failures[this.type].retry;
  }
  get next(): string {
    return failures[this.type].next;
  }
}
