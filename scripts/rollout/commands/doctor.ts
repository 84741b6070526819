import type { Command } from 'commander';
import { command } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { print, printJson } from '../terminal.js';

export function doctorCommand(): Command {
  return command('doctor', {
    summary: 'what is there, what is missing, and how to get it',
    description:
      'Looks at this machine and changes nothing: Node, memory and disk, the servers and tools of set-up with their ' +
      'checksums, and whether Temporal answers. Exit code 8 when something is missing that the demo needs.',
    examples: [
      ['rollout doctor', 'before the first upgrade'],
      ['rollout doctor --json', 'for a bug report'],
    ],
  }).action(async ({ json }: { json?: true }) => {
    // Only here: the other commands need nothing of set-up.
    const { examine, renderDoctor } = await import('../../setup/doctor.js');
    const report = await examine();
    if (json) printJson(report);
    else print(renderDoctor(report).trimEnd());
    process.exitCode = (report.ok ? exitCodes.ok : exitCodes.missing).code;
  });
}
