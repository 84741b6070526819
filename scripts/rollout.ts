import { CommanderError } from 'commander';
import { complaintJson, complaintOf, complaintText } from './rollout/complaint.js';
import { exitCodes } from './rollout/exit-codes.js';
import { rolloutProgram } from './rollout/program.js';

// `rollout plan … | head`: the reader has seen enough, which is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await rolloutProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exit(0);
  // No command at all: commander has shown the help.
  if (error instanceof CommanderError && error.code === 'commander.help') process.exit(exitCodes.usage.code);
  const complaint = complaintOf(error);
  process.stderr.write(
    process.argv.includes('--json') ? `${JSON.stringify(complaintJson(complaint))}\n` : `${complaintText(complaint)}\n`,
  );
  if (process.env['ROLLOUT_DEBUG']) console.error(error);
  process.exitCode = exitCodes[complaint.exit].code;
}
