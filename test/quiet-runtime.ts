import { IllegalStateError } from '@temporalio/common';
import { DefaultLogger, Runtime } from '@temporalio/worker';

// Workflows that fail are what tests are about: they are no news on the terminal. A process has one runtime, for many files.
try {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
} catch (error) {
  if (!(error instanceof IllegalStateError)) throw error;
}
