import type { WorkflowInterceptors } from '@temporalio/workflow';

/** With a few shards a history comes nowhere near the length at which it is continued: here it does. */
const MOST_EVENTS = 70;

/** Hands `rollingUpgrade` the length at which it continues as new; bundled into the workflows where a test asks for it. */
export const interceptors = (): WorkflowInterceptors => ({
  inbound: [
    {
      execute: (input, next) => {
        const [raw, known] = input.args;
        return next(input.args.length === 1 ? { ...input, args: [raw, known, MOST_EVENTS] } : input);
      },
    },
  ],
});
