import type { Evidence } from '../../../model/assessment/findings/evidence.js';
import type { NodeSettings, TargetAnswers } from '../../../model/assessment/survey.js';
import { directivesOf } from '../../../model/configuration/directives.js';
import { measuredOf } from '../../../model/knowledge/measured.js';

interface Own {
  from?: string;
  to?: string;
  /** Calls by command. */
  calls?: Record<string, number>;
  configuration?: Record<string, string>;
  users?: string[];
  scripts?: Record<string, string>;
  libraries?: Evidence['libraries'];
  settings?: Partial<NodeSettings>;
  target?: Partial<TargetAnswers>;
}

/** A deployment of one node in which nothing is of note, but for what is given; held against what was measured of the target. */
export function evidenceOf(own: Own = {}): Evidence {
  const { from = '6.2.14', to = '8.0.6', calls = {}, configuration = {}, users = [], scripts = {} } = own;
  const { commands, globals } = measuredOf(to);
  const node: NodeSettings = {
    ...{ address: '10.0.0.1:6379', users, modules: [], functions: [], cachedScripts: 0, primary: true },
    configuration: { ...directivesOf(from), ...configuration },
    ...{ usedMemoryBytes: 1000, maxMemoryBytes: 0, connected: 1 },
    ...own.settings,
  };
  return {
    ...{ from, to, libraries: own.libraries ?? [] },
    usage: {
      ...{ from: '2026-11-30T00:00:00.000Z', overMs: 0, looks: 1, applications: [] },
      commands: Object.entries(calls).map(([name, count]) => ({ name, calls: count })),
    },
    survey: { settings: [node], keys: [], watched: [], missingRights: [], unseen: [] },
    target: {
      ...{ release: to, commands, globals, configuration: directivesOf(to) },
      ...{ refusedValues: [], refusedScripts: [], refusedFunctions: [], refusedUsers: [] },
      ...own.target,
    },
    scripts: Object.entries(scripts).map(([name, text]) => ({ name, text })),
  };
}
