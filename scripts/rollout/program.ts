import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { controlNames } from '../../model/names.js';
import { Complaint } from './complaint.js';
import { approvalsCommand } from './commands/approvals.js';
import { auditCommand } from './commands/audit.js';
import { archiveCommand } from './commands/archive.js';
import { assessCommand } from './commands/assess.js';
import { backupCommand } from './commands/backup.js';
import { backupsCommand } from './commands/backups.js';
import { completionCommand } from './commands/completion.js';
import { controlCommand } from './commands/control.js';
import { doctorCommand } from './commands/doctor.js';
import { drillCommand } from './commands/drill.js';
import { drillsCommand } from './commands/drills.js';
import { fallbackCommand } from './commands/fallback.js';
import { initCommand } from './commands/init.js';
import { keyCommand } from './commands/key.js';
import { planCommand } from './commands/plan.js';
import { restoreCommand } from './commands/restore.js';
import { reportCommand } from './commands/report.js';
import { scheduleCommand } from './commands/schedule.js';
import { stagingCommand } from './commands/staging.js';
import { startCommand } from './commands/start.js';
import { statusCommand } from './commands/status.js';
import { watchCommand } from './commands/watch.js';
import { workerCommand } from './commands/worker.js';

/** The whole `rollout` command. Built for each call: commander keeps the options that were parsed in it. */
export function rolloutProgram(): Command {
  const program = new Command('rollout')
    .description('Durable, zero-downtime Redis and Valkey upgrades that can be taken back.')
    .version(version(), '--version', 'print the version')
    .helpCommand(false)
    .addHelpText('after', overview);
  const commands = [
    initCommand(),
    planCommand(),
    assessCommand(),
    startCommand(),
    watchCommand(),
    statusCommand(),
    ...controlNames.map((name) => (name === 'fallback' ? fallbackCommand() : controlCommand(name))),
    reportCommand(),
    auditCommand(),
    backupCommand(),
    backupsCommand(),
    drillCommand(),
    drillsCommand(),
    stagingCommand(),
    scheduleCommand(),
    restoreCommand(),
    archiveCommand(),
    workerCommand(),
    approvalsCommand(),
    keyCommand(),
    doctorCommand(),
    completionCommand(program),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)])
    // Said once, by the one place that says what went wrong.
    command.configureOutput({ outputError: () => undefined }).exitOverride((error) => {
      if (error.exitCode === 0 || error.code === 'commander.help') throw error;
      const path = pathOf(command);
      throw new Complaint('usage', error.message.replace(/^error: /, ''), [`See: ${path} --help`], { cause: error });
    });
  return program;
}

/** `rollout backup verify` */
const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;

const overview = `
A first upgrade:
  rollout init 10.0.0.4:6379 --name orders   # write deployments/orders.yaml
  rollout plan orders --to 8.0               # what it would take; changes nothing
  rollout worker                             # where the nodes are; keep it running
  rollout start orders --to 8.0 --watch      # in another terminal
  rollout approve orders                     # when it asks

Environment:
  ROLLOUT_DEPLOYMENTS   folder of the deployment files (default: deployments)
  ROLLOUT_METRICS       host:port where Prometheus finds a worker’s metrics (default: nowhere)
  ROLLOUT_AS            who you are, where --as is not given
  ROLLOUT_KEY           key that answers are signed with, where --key is not given: env:NAME or file:PATH
  ROLLOUT_DEBUG=1       show where an error comes from
  TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, TEMPORAL_API_KEY, TEMPORAL_TLS*
                        where Temporal is, as for the \`temporal\` command
  NO_COLOR              no colours

Exit codes: docs/exit-codes.md. Every command: docs/commands.md.`;

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
