import type { GivenScript, Survey, TargetAnswers } from '../survey.js';
import type { Usage } from '../usage.js';

/** A library that somebody named, of the clients that are called so: servers before 7.2 can't tell. */
export interface NamedLibrary {
  application: string;
  library: string;
  version?: string;
}

/** Everything that findings are drawn from. */
export interface Evidence {
  /** The oldest release that runs, and the exact target. */
  from: string;
  to: string;
  usage: Usage;
  survey: Survey;
  target: TargetAnswers;
  scripts: readonly GivenScript[];
  libraries: readonly NamedLibrary[];
}

/** Applications that were seen to run a command. */
export const usersOfCommand = ({ usage }: Evidence, command: string): string[] =>
  usage.applications.filter(({ commands }) => commands.includes(command)).map(({ name }) => name);
