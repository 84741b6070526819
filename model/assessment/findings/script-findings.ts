import { measuredOf } from '../../knowledge/measured.js';
import { nameRelease } from '../../release.js';
import type { Finding } from '../finding.js';
import { commandsIn, globalsIn } from '../lua.js';
import { isThere, spoken } from './command-findings.js';
import type { Evidence } from './evidence.js';

/** Scripts and functions that the target refuses to load, or that name what it has no more. */
export function scriptFindings({ from, to, survey, target, scripts }: Evidence): Finding[] {
  const functions = new Map(
    survey.settings.flatMap(({ functions: all = [] }) => all.map(({ library, code }) => [library, code] as const)),
  );
  const texts = [
    ...scripts.map(({ name, text }) => ({ what: `script ${name}`, subject: name, text })),
    ...[...functions].map(([library, text]) => ({ what: `function library ${library}`, subject: library, text })),
  ];
  const before = measuredOf(from);
  return [
    ...target.refusedScripts.map(({ name, why }) => refusal(`script ${name}`, name, why, to)),
    ...target.refusedFunctions.map(({ library, why }) => refusal(`function library ${library}`, library, why, to)),
    ...texts.flatMap(({ what, subject, text }) => {
      const lost = [
        ...commandsIn(text)
          .filter((name) => isThere(name, before.commands) && !isThere(name, target.commands))
          .map((name) => `calls ${spoken(name)}`),
        ...globalsIn(
          text,
          before.globals.filter((name) => !target.globals.includes(name)),
        ).map((name) => `uses ${name}`),
      ];
      return lost.length === 0 ? [] : [broken(what, subject, lost, to)];
    }),
  ];
}

const refusal = (what: string, subject: string, why: string, to: string): Finding => ({
  severity: 'blocker',
  area: 'scripts',
  subject,
  text: `The ${what} can't be loaded by ${nameRelease(to)}: ${why}.`,
  next: 'Change it so that both releases load it, before the first node is upgraded.',
  concerns: [subject],
});

const broken = (what: string, subject: string, lost: readonly string[], to: string): Finding => ({
  severity: 'blocker',
  area: 'scripts',
  subject,
  text: `The ${what} ${lost.join(', and ')}, which ${nameRelease(to)} does not have: it fails when it comes there.`,
  next: 'Change it so that it runs on both releases, before the first node is upgraded.',
  concerns: [subject],
});
