// A finding too few is an outage; one too many, and nobody reads them.
import { describe, expect, test } from 'vitest';
import { commandFindings } from '../../../model/assessment/findings/command-findings.js';
import { moduleFindings } from '../../../model/assessment/findings/data-findings.js';
import { isBefore, knownFindings } from '../../../model/assessment/findings/known-findings.js';
import { scriptFindings } from '../../../model/assessment/findings/script-findings.js';
import { settingChanges, settingFindings, userFindings } from '../../../model/assessment/findings/setting-findings.js';
import { measuredOf, measuredReleases } from '../../../model/knowledge/measured.js';
import { knowledgeSteps } from '../../../model/knowledge/steps.js';
import { evidenceOf } from './evidence.js';

const said = (findings: { severity: string; subject: string }[]): string[] =>
  findings.map(({ severity, subject }) => `${severity} ${subject}`);

describe('commands', () => {
  test('one that is gone blocks; one that was not called while it was observed is for somebody to look at', () => {
    const evidence = evidenceOf({ calls: { stralgo: 3, get: 100, config: 5, xtrim: 4 } });
    expect(said(commandFindings(evidence))).toEqual(['blocker stralgo']);
    const commands = evidence.usage.commands.map((it) => ({ ...it, during: 0 }));
    expect(said(commandFindings({ ...evidence, usage: { ...evidence.usage, commands } }))).toEqual(['action stralgo']);
  });

  test('a release without subcommands counts CONFIG, and no subcommand of it is missed', () => {
    const all = Object.fromEntries(Object.keys(measuredOf('5.0.6').commands).map((name) => [name, 1]));
    const gone = commandFindings(evidenceOf({ from: '5.0.6', to: '7.0.15', calls: all }));
    expect(said(gone).filter((it) => !it.startsWith('note'))).toEqual([]);
  });

  test('every command of a release is there at each later one, but for STRALGO', () => {
    const redis = measuredReleases.filter((release) => !release.startsWith('valkey'));
    for (const [i, from] of redis.entries())
      for (const to of redis.slice(i + 1)) {
        const calls = Object.fromEntries(Object.keys(measuredOf(from).commands).map((name) => [name, 1]));
        const broken = commandFindings(evidenceOf({ from, to, calls })).filter(({ severity }) => severity !== 'note');
        const expected = from.startsWith('6.') && to !== '6.2.14' ? ['blocker stralgo'] : [];
        expect(said(broken), `${from} to ${to}`).toEqual(expected);
      }
  });

  test('what was deprecated on the way is one note; what was so before is none', () => {
    const calls = { getset: 1, georadius: 1, hmset: 9, setex: 9 };
    const [note, ...others] = commandFindings(evidenceOf({ from: '5.0.6', calls }));
    expect(others).toEqual([]);
    expect(note?.text).toContain('GETSET');
    expect(note?.text).toContain('GEORADIUS');
    expect(note?.text).not.toMatch(/HMSET|SETEX/);
    expect(commandFindings(evidenceOf({ from: '6.2.14', calls }))).toEqual([]);
  });

  test('commands of a module are the module’s', () => {
    const evidence = evidenceOf({
      calls: { 'bf.add': 3 },
      settings: { modules: [{ name: 'bf', version: 20_402 }] },
    });
    expect(commandFindings(evidence)).toEqual([]);
    expect(said(moduleFindings(evidence))).toEqual(['blocker bf']);
    expect(moduleFindings(evidence)[0]?.text).toContain('BF.ADD');
  });
});

describe('scripts', () => {
  const broken = (text: string, from = '6.2.14'): string[] =>
    scriptFindings(evidenceOf({ from, scripts: { 'it.lua': text } })).map((it) => it.text);

  test('a command that is gone, and a global that is gone, each by name', () => {
    expect(broken('return redis.call("STRALGO", "LCS")')[0]).toContain('calls STRALGO');
    expect(broken("local r = redis.pcall ( 'stralgo' )")[0]).toContain('calls STRALGO');
    expect(broken('print("x")')[0]).toContain('uses print');
    expect(broken('setfenv(1, {})')[0]).toContain('uses setfenv');
  });

  test.each([
    'return redis.call("GET", KEYS[1])',
    '-- print\n--[[ setfenv\nprint ]] return 1',
    'return "print" .. \'stralgo\'',
    'local print = function() end print("x")',
    'local a, print = 1, 2 return print',
    'return fmt.print(1)',
    'local t = { print = 1 } return t.print',
    'return redis.call("CONFIG", "GET", "maxmemory")',
    'redis.call(KEYS[1])',
  ])('nothing is found in %j', (text) => {
    expect(broken(text)).toEqual([]);
  });

  test('one that the target refuses to load', () => {
    const refusedScripts = [{ name: 'it.lua', why: "unexpected symbol near '}'" }];
    expect(said(scriptFindings(evidenceOf({ target: { refusedScripts } })))).toEqual(['blocker it.lua']);
  });
});

describe('settings', () => {
  test('one that is set and gone is an action, one with a new name a note, one that nobody set is neither', () => {
    const configuration = { 'hash-max-ziplist-entries': '1024', 'gopher-enabled': 'yes', maxmemory: '100' };
    expect(said(settingFindings(evidenceOf({ configuration })))).toEqual(
      ['action gopher-enabled', 'note hash-max-ziplist-entries'].sort((a, b) => (a < b ? -1 : 1)),
    );
    expect(settingFindings(evidenceOf())).toEqual([]);
  });

  test('every directive of the target that is otherwise is listed, whether it is set or not', () => {
    const changes = settingChanges(evidenceOf());
    const of = (kind: string): string[] => changes.filter((it) => it.kind === kind).map(({ directive }) => directive);
    expect(of('removed')).toEqual(expect.arrayContaining(['gopher-enabled', 'io-threads-do-reads']));
    expect(of('renamed')).toEqual(expect.arrayContaining(['hash-max-ziplist-entries', 'lua-time-limit']));
    expect(of('changed default')).toEqual(expect.arrayContaining(['acl-pubsub-default', 'repl-diskless-sync']));
    expect(of('new')).toEqual(expect.arrayContaining(['maxmemory-clients', 'appenddirname']));
    expect(of('new')).not.toContain('replica-read-only');
  });

  test('no secret is told', () => {
    const configuration = { masterauth: 'a-secret', requirepass: 'a-secret' };
    const evidence = evidenceOf({ configuration, to: 'valkey-8.1.1' });
    expect(JSON.stringify([settingFindings(evidence), settingChanges(evidence)])).not.toContain('a-secret');
  });

  test('a user with a rule for a command that is gone', () => {
    const users = ['user default on nopass ~* &* +@all', 'user app on (redacted) ~* &* -@all +get +stralgo'];
    expect(said(userFindings(evidenceOf({ users })))).toEqual(['action app']);
  });
});

describe('what is known of the releases', () => {
  test('a library is told by its version, given or said by the client', () => {
    const of = (version: string): string[] =>
      said(knownFindings(evidenceOf({ libraries: [{ application: 'shop', library: 'go-redis', version }] })));
    expect(of('8.11.4')).toEqual(['blocker go-redis-cluster-slots']);
    expect(of('9.0.0')).toEqual([]);
    expect([isBefore('8.11.4', '9.0.0'), isBefore('10.0', '9.9'), isBefore('9.0', '9.0.0')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('only what lies between the two releases, and concerns something of the deployment’s own', () => {
    expect(knownFindings(evidenceOf())).toEqual([]);
    const configuration = { appendonly: 'yes' };
    expect(said(knownFindings(evidenceOf({ configuration })))).toEqual(['action append-only-folder']);
    expect(knownFindings(evidenceOf({ from: '7.0.15', configuration }))).toEqual([]);
    expect(said(knownFindings(evidenceOf({ from: '5.0.6', calls: { exists: 1 } })))).toEqual([]);
    const evicting = { 'maxmemory-policy': 'allkeys-lru' };
    const both = evidenceOf({ from: '5.0.6', calls: { exists: 1 }, configuration: evicting });
    expect(said(knownFindings(both))).toEqual(['note exists-touches-no-key']);
  });

  test('a patch release of the old line that has it already is not told of it', () => {
    const scripts = { 'it.lua': 'string.trim = function() end' };
    expect(said(knownFindings(evidenceOf({ from: '6.2.6', scripts })))).toEqual(['action lua-readonly-globals']);
    expect(knownFindings(evidenceOf({ from: '6.2.14', scripts }))).toEqual([]);
    expect(said(knownFindings(evidenceOf({ from: '5.0.6', scripts })))).toEqual(['action lua-readonly-globals']);
  });

  test('each entry is found by what it says that it concerns', () => {
    for (const { line, entries } of knowledgeSteps())
      for (const entry of entries.filter((it) => !it.every)) {
        const [concern] = entry.concerns;
        if (!concern || !('commands' in concern)) continue;
        const [name = ''] = concern.commands;
        const before = line.startsWith('valkey') ? '7.2.4' : '5.0.6';
        const calls = { [name]: 1 };
        expect(said(knownFindings(evidenceOf({ from: before, to: line, calls }))), entry.id).toContain(
          `${entry.severity} ${entry.id}`,
        );
      }
  });
});
