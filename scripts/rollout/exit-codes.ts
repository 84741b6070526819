/** What a script can tell from the exit code. Documented in docs/exit-codes.md, and never renumbered. */
export const exitCodes = {
  ok: {
    code: 0,
    meaning: 'Done; of `watch` and `start --watch`: the operation completed; of `fallback --watch`: it went back.',
  },
  unexpected: { code: 1, meaning: 'Something unforeseen: run it again with ROLLOUT_DEBUG=1 and report what it says.' },
  usage: {
    code: 2,
    meaning: 'Wrong usage or bad input, or a plan or an assessment with a blocker. Nothing was touched.',
  },
  stopped: {
    code: 3,
    meaning:
      'The operation stopped, was aborted, was taken back, or failed; of `drills --check`: somebody has to look.',
  },
  refused: {
    code: 4,
    meaning: 'Refused: one is running already, none is running, or who asks may not do that now.',
  },
  unreachable: { code: 5, meaning: 'Temporal, or a Redis node, can’t be reached or doesn’t let us in.' },
  waiting: { code: 6, meaning: '`--exit-when-waiting`: the operation waits for a person.' },
  noWorker: { code: 7, meaning: 'No worker answered: nothing goes on until one runs.' },
  missing: { code: 8, meaning: '`doctor`: something that is needed is missing.' },
  interrupted: { code: 130, meaning: 'Left with Ctrl-C; an operation that was watched goes on.' },
} as const satisfies Record<string, { code: number; meaning: string }>;

export type Exit = keyof typeof exitCodes;
