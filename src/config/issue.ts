import type * as z from 'zod';
import { suggest } from './nearest.ts';
import { BROKEN, isPlainMap } from './plain.ts';
import type { Finding, Path } from './problem.ts';
import { valueAt } from './prune.ts';

type Issue = z.core.$ZodIssue;

/** What a schema issue means for people, and the path to cut so that the rest can be judged. */
export type Explained = {
  readonly finding?: Finding | undefined;
  readonly cut: Path;
  /** The key that a misspelt one was likely meant to be: its absence needs no word of its own. */
  readonly meant?: Path | undefined;
};

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

/** Explains an issue found in a value; a union is explained by the branch that fits the value's shape. */
export function explainIssue(issue: Issue, whole: unknown, base: Path = []): readonly Explained[] {
  const path: Path = [...base, ...(issue.path as Path)];
  const value = valueAt(whole, path);
  if (value === BROKEN) return [{ cut: path }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, issue.message.split(' '), path, value));
    case 'invalid_union':
      return explainUnion(issue.errors, whole, path);
    case 'invalid_key': {
      const message = issue.issues.map(messageOf).join('; ');
      return [{ finding: { path, at: 'key', message }, cut: path }];
    }
    default:
      return [explainValue(issue, path, value)];
  }
}

function explainValue(issue: Issue, path: Path, value: unknown): Explained {
  const isMissing = value === undefined && issue.code.startsWith('invalid_');
  if (!isMissing)
    return { finding: { path, at: 'value', message: valueMessage(issue, value) }, cut: path };
  const message = `required: expected ${expectationOf(issue)}`;
  return { finding: { path, at: 'value', message }, cut: path.slice(0, -1) };
}

function unknownKey(key: string, known: readonly string[], path: Path, map: unknown): Explained {
  const free = known.filter((one) => !isPlainMap(map) || !Object.hasOwn(map, one));
  const hint = suggest(key, free) || suggest(key, known);
  const meant = /"([^"]+)"/.exec(hint)?.[1];
  const expected = hint === '' ? `; expected ${listed(known)}` : hint;
  return {
    finding: { path: [...path, key], at: 'key', message: `unknown key${expected}` },
    cut: [...path, key],
    meant: meant === undefined ? undefined : [...path, meant],
  };
}

function explainUnion(
  branches: readonly (readonly Issue[])[],
  whole: unknown,
  path: Path,
): readonly Explained[] {
  const value = valueAt(whole, path);
  const fitting = branches
    .filter((issues) => !issues.some(isShapeIssue))
    .sort((one, other) => one.length - other.length);
  const [best] = fitting;
  if (best) {
    const strange = explainKinds(fitting, path, value);
    return strange ?? best.flatMap((issue) => explainIssue(issue, whole, path));
  }
  const roots = branches.flatMap(rootIssues);
  const expected = [...new Set(roots.map(expectationOf))].join(' or ');
  if (value === undefined) {
    const finding: Finding = { path, at: 'value', message: `required: expected ${expected}` };
    return [{ finding, cut: path.slice(0, -1) }];
  }
  const message = `expected ${expected}${hintOf(roots, value)}`;
  return [{ finding: { path, at: 'value', message }, cut: path }];
}

/** Explains a map that is none of several kinds of maps, or more than one; undefined where the branch that fits best says it better. */
function explainKinds(
  branches: readonly (readonly Issue[])[],
  path: Path,
  value: unknown,
): readonly Explained[] | undefined {
  const kinds = branches.map((issues) => issues.flatMap(knownKeysOf));
  const written = isPlainMap(value) ? Object.keys(value) : [];
  if (kinds.length < 2 || kinds.some((keys) => keys.length === 0)) return undefined;
  const known = [...new Set(kinds.flat())];
  const strange = written.filter((key) => !known.includes(key));
  if (strange.length === 0) {
    const message = `expected only one of ${known.map((key) => JSON.stringify(key)).join(', ')}`;
    return [{ finding: { path, at: 'value', message }, cut: path }];
  }
  return strange.length === written.length
    ? strange.map((key) => unknownKey(key, known, path, value))
    : undefined;
}

/** The keys that a map may have, where it has another. */
function knownKeysOf(issue: Issue): readonly string[] {
  const isOfMap = issue.code === 'unrecognized_keys' && issue.path.length === 0;
  return isOfMap ? issue.message.split(' ') : [];
}

/** Whether an issue says that the value has another shape than the branch. */
function isShapeIssue(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union')
    return issue.errors.every((issues) => issues.some(isShapeIssue));
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function rootIssues(issues: readonly Issue[]): readonly Issue[] {
  return issues
    .filter((issue) => issue.path.length === 0)
    .flatMap((issue) =>
      issue.code === 'invalid_union' ? issue.errors.flatMap(rootIssues) : [issue],
    );
}

function messageOf(issue: Issue): string {
  if (issue.code === 'invalid_union')
    return issue.errors.flatMap(rootIssues).map(messageOf).join(', or ');
  if (issue.code === 'custom' || issue.code === 'invalid_format') return issue.message;
  return `expected ${expectationOf(issue)}`;
}

function valueMessage(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeof value === 'number' && issue.expected === 'int'
        ? 'expected a whole number'
        : `expected ${expectationOf(issue)}, got ${shapeOf(value)}`;
    case 'invalid_value':
      return `expected ${expectationOf(issue)}${hintOf([issue], value)}`;
    case 'too_small':
      return issue.origin === 'array' && issue.minimum === 1
        ? 'expected at least one entry'
        : `expected at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `expected at most ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return issue.message;
  }
}

function expectationOf(issue: Issue): string {
  if (issue.code === 'invalid_type') {
    const [, told] = /^expected (.+)$/.exec(issue.message) ?? [];
    return told ?? TYPES[issue.expected] ?? issue.expected;
  }
  if (issue.code === 'invalid_value') return listed(issue.values);
  return issue.message;
}

function hintOf(issues: readonly Issue[], value: unknown): string {
  if (typeof value !== 'string') return '';
  const words = issues.flatMap((issue) => (issue.code === 'invalid_value' ? issue.values : []));
  return suggest(value, words.map(String));
}

function listed(words: readonly unknown[]): string {
  const quoted = words.map((word) =>
    typeof word === 'string' && !/^\d+$/.test(word) ? JSON.stringify(word) : String(word),
  );
  return quoted.length === 1 ? String(quoted[0]) : `one of ${quoted.join(', ')}`;
}

function unitOf(origin: string): string {
  if (origin === 'array') return ' entries';
  return origin === 'string' ? ' characters' : '';
}

/** The shape of a value, never the value, which could be a secret. */
function shapeOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (isPlainMap(value)) return 'a map';
  if (typeof value === 'boolean') return 'true or false';
  return typeof value === 'number' ? 'a number' : 'a text';
}
