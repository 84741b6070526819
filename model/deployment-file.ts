import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit, type Document, type Node } from 'yaml';
import type { z } from 'zod';
import { deploymentFileSchema, fieldNames, fieldsOf } from './deployment-fields.js';
import { rulesBetweenFields, type Path, type Problem } from './deployment-rules.js';
import { deploymentSchema, type Deployment } from './deployment.js';
import { RolloutError } from './failures.js';
import { nearest } from './nearest.js';

interface Complaint {
  offset: number;
  text: string;
}

/**
 * Reads a deployment file. Every problem is listed, at its line and column.
 *
 * @param text the file's content
 * @param source how messages call the file, for example `deployments/orders.yaml`
 * @param expectedName the name that it must carry, where the caller knows it
 * @throws RolloutError BadDeploymentFile
 */
export function parseDeployment(text: string, source: string, expectedName?: string): Deployment {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const complain = (complaints: readonly Complaint[]): never => {
    throw badFile(source, lines, complaints);
  };

  const syntax = syntaxComplaints(document);
  if (syntax.length > 0) complain(syntax);
  if ((document.contents as Node | null) === null)
    complain([{ offset: 0, text: 'expected a deployment, found an empty file' }]);

  const data: unknown = document.toJS();
  const parsed = deploymentSchema.safeParse(data);
  const problems = [...(parsed.success ? [] : parsed.error.issues.flatMap(problemsOf)), ...rulesBetweenFields(data)];
  if (parsed.success && expectedName !== undefined && parsed.data.name !== expectedName)
    problems.push({ path: ['name'], expected: `expected '${expectedName}', the name of the file` });
  if (problems.length > 0) complain(problems.map((problem) => locate(document, problem)));
  return parsed.data as Deployment;
}

function badFile(source: string, lines: LineCounter, complaints: readonly Complaint[]): RolloutError {
  const places = complaints
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, text }) => {
      const { line, col } = lines.linePos(offset);
      return `\n  ${Math.max(line, 1)}:${Math.max(col, 1)}  ${text}`;
    });
  const unique = [...new Set(places)];
  return new RolloutError(
    'BadDeploymentFile',
    `${source} has ${unique.length === 1 ? 'a problem' : `${unique.length} problems`}:${unique.join('')}`,
  );
}

/** What is no YAML, or YAML that would make a file mean something else than it seems to say. */
function syntaxComplaints(document: Document.Parsed): Complaint[] {
  const complaints = [...document.errors, ...document.warnings.filter((it) => it.code !== 'TAG_RESOLVE_FAILED')].map(
    (error) => ({
      offset: error.pos[0],
      text: syntaxText[error.code] ?? error.message,
    }),
  );
  visit(document, {
    Alias: (_, node) =>
      void complaints.push({
        offset: start(node),
        text: `expected a value, found the alias '*${node.source}': write it out`,
      }),
    Value: (_, node) => {
      if (node.anchor !== undefined)
        complaints.push({
          offset: start(node),
          text: `expected a value, found the anchor '&${node.anchor}': leave it out`,
        });
      if (node.tag !== undefined)
        complaints.push({
          offset: start(node),
          text: `expected a plain value, found the tag '${node.tag}': leave it out`,
        });
    },
  });
  return complaints;
}

const syntaxText: Record<string, string> = {
  TAB_AS_INDENT: 'expected spaces, found a tab: YAML is indented with spaces only',
  DUPLICATE_KEY: 'expected each field once, found this one a second time',
  MULTIPLE_DOCS: 'expected one deployment a file, found a second document (---)',
};

/** One problem for each thing that one issue of zod's says. */
function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const names = fieldNames(path);
      const suggestion = nearest(key, names) ?? elsewhere(key);
      return {
        path: [...path, key],
        key: true,
        expected: `expected one of ${names.join(', ')}`,
        ...(suggestion === undefined ? {} : { suggestion }),
      };
    });
  if (issue.code === 'invalid_key') return issue.issues.map((inner) => ({ path, key: true, expected: inner.message }));
  return [{ path, expected: expectation(issue) }];
}

/** A field of that name at another place of the file: `soak` at the top level belongs into `policy`, `checks` out of `drill`. */
const elsewhere = (key: string): string | undefined =>
  fieldsOf(deploymentFileSchema()).find(({ path }) => path === key || path.endsWith(`.${key}`))?.path;

const kinds: Record<string, string> = {
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      // Rules of our own carry their own sentence.
      if (issue.message.startsWith('expected ')) return issue.message;
      return `expected ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.map(String).join(' or ')}`;
    case 'invalid_union':
      return `expected ${(issue as unknown as { options?: unknown[] }).options?.map(String).join(' or ') ?? 'another value'}`;
    case 'too_small':
    case 'too_big': {
      const small = issue.code === 'too_small';
      const limit = Number(small ? issue.minimum : issue.maximum);
      if (issue.origin === 'array') return `expected ${small ? 'at least' : 'at most'} ${limit} in the list`;
      if (issue.origin === 'string')
        return small ? 'expected text that is not empty' : `expected ${limit} letters at most`;
      return `expected ${limit} or ${small ? 'more' : 'less'}`;
    }
    default:
      return issue.message;
  }
}

/** Finds the node that a problem speaks of: line and column of the value, of the key, or of what should contain it. */
function locate(document: Document.Parsed, { path, expected, suggestion, key }: Problem): Complaint {
  const name = path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  );
  const meant = suggestion === undefined ? '' : `; did you mean '${suggestion}'?`;
  const say = (offset: number, found: string): Complaint => ({
    offset,
    text: `${name === '' ? 'the file' : name}: ${expected}, ${found}${meant}`,
  });
  if (key) {
    const pair = pairAt(document, path);
    const written = isScalar(pair?.key) ? pair.key.source : undefined;
    return say(isNode(pair?.key) ? start(pair.key) : 0, `found '${written ?? String(path.at(-1))}'`);
  }
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  // An object that lacks a field is a complaint about the field, at the place where it should stand.
  if (!isNode(node)) return say(whereMissing(document, path), 'found nothing');
  return say(
    start(node),
    isSecret(path) || holdsSecret(node) ? 'found something else (not shown, it may be a secret)' : found(node),
  );
}

const secrets = new Set<Path[number]>([
  ...['password', 'token', 'accessKeyId', 'secretAccessKey', 'encryption'],
  ...['secret', 'signingSecret', 'appToken', 'routingKey', 'webhook'],
]);
const isSecret = (path: Path): boolean => path.some((step) => secrets.has(step));

/** An address may carry a password. */
const holdsSecret = (node: Node): boolean =>
  isScalar(node) && typeof node.value === 'string' && /:\/\/[^/?#]*@/.test(node.value);

function found(node: Node): string {
  if (isScalar(node)) {
    if (node.value === null) return 'found nothing';
    const text = node.source ?? JSON.stringify(node.value);
    return `found ${typeof node.value === 'string' ? `'${text.length > 60 ? `${text.slice(0, 60)}…` : text}'` : text}`;
  }
  return isMap(node) ? 'found an object' : 'found a list';
}

const start = (node: Node): number => node.range?.[0] ?? 0;

function pairAt(document: Document.Parsed, path: Path) {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  return parent.items.find(
    (pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === String(path.at(-1)),
  );
}

/** The nearest thing around a missing field that has a place of its own: the key of the object that lacks it. */
function whereMissing(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const key = pairAt(document, path.slice(0, length))?.key;
    if (isNode(key)) return start(key);
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node)) return start(node);
  }
  return 0;
}
