import { type Explained, explainIssue } from './issue.ts';
import { isPlainMap, type PlainMap } from './plain.ts';
import type { Finding, Path } from './problem.ts';
import { type Pruned, prune, valueAt } from './prune.ts';
import { type Config, PolicyFile } from './schema.ts';

/** A policy file held against its schema. */
export type Structure = {
  /** Everything the schema has against it. */
  readonly findings: readonly Finding[];
  /** What is left when broken parts are cut out; undefined when nothing sensible is. */
  readonly config: Config | undefined;
  readonly sourcePath: Pruned['sourcePath'];
  /** Whether a path of the whole value was written, even where it was misspelt. */
  readonly wroteSource: (path: Path) => boolean;
};

const ROUNDS_MAX = 16;

/** Holds a value against the schema, and goes on with the sound parts, so that no problem hides another. */
export function readStructure(whole: PlainMap): Structure {
  const first = hold(whole, []);
  const meant = new Set(first.explained.flatMap((one) => (one.meant ? [writeKey(one.meant)] : [])));
  const findings = findingsOf(first.explained, meant, whole);
  const cut = new Map<string, Path>();
  const mended = mend(whole, first.explained);
  let held = hold(mended, []);
  for (let round = 0; round < ROUNDS_MAX && !held.config; round += 1) {
    for (const { cut: path } of held.explained) {
      const source = held.sourcePath(path);
      if (source.length > 0) cut.set(writeKey(source), source);
    }
    held = hold(mended, [...cut.values()]);
  }
  const { config, sourcePath } = held;
  const wroteSource = (path: Path) =>
    valueAt(whole, path) !== undefined || meant.has(writeKey(path));
  return { findings, config, sourcePath, wroteSource };
}

/** A copy in which misspelt keys are right, so that what they say is looked at too. */
function mend(whole: PlainMap, explained: readonly Explained[]): PlainMap {
  const copy = copyOf(whole);
  for (const { finding, meant } of explained) {
    const wrong = finding?.path.at(-1);
    const right = meant?.at(-1);
    const around = valueAt(copy, meant?.slice(0, -1) ?? []);
    if (wrong === undefined || right === undefined || !isPlainMap(around)) continue;
    if (Object.hasOwn(around, right) || !Object.hasOwn(around, wrong)) continue;
    const { [wrong]: value, ...others } = around;
    for (const key of Object.keys(around)) delete (around as Record<string, unknown>)[key];
    Object.assign(around, others, { [right]: value });
  }
  return copy;
}

function copyOf<T>(value: T): T;
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isPlainMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)]));
}

type Held = Pick<Structure, 'config' | 'sourcePath'> & { readonly explained: readonly Explained[] };

/** Holds a value without some parts against the schema. Once something is cut, no routes are no fault. */
function hold(whole: PlainMap, cut: readonly Path[]): Held {
  const { value, sourcePath } = prune(whole, cut);
  const judged = cut.length === 0 ? whole : { ...value, routes: value['routes'] ?? [] };
  const parsed = PolicyFile.safeParse(judged);
  if (parsed.success) return { config: parsed.data, sourcePath, explained: [] };
  const explained = parsed.error.issues.flatMap((issue) => explainIssue(issue, judged));
  return { config: undefined, sourcePath, explained };
}

function writeKey(path: Path): string {
  return JSON.stringify(path);
}

/** The findings, without a word on a key that is missing only because it is misspelt. */
function findingsOf(
  explained: readonly Explained[],
  meant: ReadonlySet<string>,
  whole: PlainMap,
): readonly Finding[] {
  return explained.flatMap(({ finding }) => {
    if (!finding) return [];
    const isMisspelt = meant.has(writeKey(finding.path));
    return isMisspelt && valueAt(whole, finding.path) === undefined ? [] : [finding];
  });
}
