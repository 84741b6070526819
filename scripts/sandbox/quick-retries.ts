import type { WorkflowInterceptors } from '@temporalio/workflow';

/**
 * Part of the workflows' bundle of a stage whose workers are killed again and again: an attempt that died is missed after
 * three seconds instead of ten, and tried again at once. So that a busy machine doesn't use up the attempts, there
 * are five times as many.
 */
export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity: (input, next) =>
        next({
          ...input,
          options: {
            ...input.options,
            heartbeatTimeout: '3 s',
            retry: {
              ...input.options.retry,
              initialInterval: '100 ms',
              maximumInterval: '100 ms',
              ...moreAttempts(input.options.retry?.maximumAttempts),
            },
          },
        }),
    },
  ],
});

const moreAttempts = (maximumAttempts: number | undefined): { maximumAttempts?: number } =>
  maximumAttempts === undefined ? {} : { maximumAttempts: 5 * maximumAttempts };
