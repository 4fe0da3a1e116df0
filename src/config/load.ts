import { type PolicyDocument, parseSource } from './document.ts';
import type { Environment } from './environment.ts';
import { type FileSet, openFileSet, type Stamp } from './file-set.ts';
import { type Located, locate, locateIn } from './locate.ts';
import { findAnchors } from './node.ts';
import { isPlainMap, type PlainMap, readPlain } from './plain.ts';
import { type Finding, type Problem, sortProblems } from './problem.ts';
import { openReview } from './review.ts';
import type { Config } from './schema.ts';
import { checkSemantics } from './semantics.ts';
import { readStructure } from './structure.ts';
import { type United, uniteFiles } from './unite.ts';

/** What to load: a YAML file or a directory of them, and where placeholders are looked up. */
export type LoadOrder = {
  readonly path: string;
  readonly env: Environment;
  readonly nowMs: number;
};

/** A policy as it was found; `config` is there when it has no problems. */
export type Loaded = {
  readonly config?: Config | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** All files and directories it was read from, missing ones included. */
  readonly stamps: readonly Stamp[];
  /** The files that placeholders named, in the order they were read. */
  readonly placeholders: readonly string[];
  /** SHA-256 in hex over everything that was read. */
  readonly hash: string;
};

/** Problems that are told one by one: a file of nonsense has one for every line. */
const TOLD_MAX = 1000;

/** Reads a policy and checks it as a whole: every problem at once, each with its place. */
export function loadPolicy(order: LoadOrder): Loaded {
  const files = openFileSet(order.path);
  const found = readAll(order, files);
  const rest = { stamps: files.stamps(), placeholders: files.placeholders(), hash: files.hash() };
  const problems = sortProblems(found.problems);
  const warnings = sortProblems(found.warnings);
  return problems.length > 0
    ? { problems, warnings, ...rest }
    : { config: found.config, problems, warnings, ...rest };
}

/** Reads the files of a policy without parsing them; undefined when they are not as they were under a hash. */
export function findUnchanged(
  path: string,
  known: Pick<Loaded, 'hash' | 'placeholders'>,
): Loaded | undefined {
  const files = openFileSet(path);
  files.openSources();
  for (const file of known.placeholders) files.findFile(file, path);
  if (files.hash() !== known.hash) return undefined;
  return { problems: [], warnings: [], stamps: files.stamps(), ...known };
}

type Found = {
  readonly config?: Config | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};

function readAll(order: LoadOrder, files: FileSet): Found {
  const sources = files.openSources();
  const whole = { file: order.path, line: 1, column: 1, path: '' };
  if ('problem' in sources) {
    return { problems: [{ ...whole, message: sources.problem }], warnings: [] };
  }
  if (sources.length === 0) {
    const message = 'the directory holds no *.yaml or *.yml file';
    return { problems: [{ ...whole, message }], warnings: [] };
  }
  const parsed = sources.map(parseSource);
  const faults = parsed.flatMap((one) => ('document' in one ? [] : one));
  if (faults.length > 0) return { problems: faults, warnings: [] };
  const documents = parsed.flatMap((one) => ('document' in one ? [one] : []));
  return readDocuments(order, files, documents);
}

function readDocuments(
  order: LoadOrder,
  files: FileSet,
  documents: readonly PolicyDocument[],
): Found {
  const problems: Problem[] = [];
  const located: Located[] = [];
  const values: PlainMap[] = [];
  for (const source of documents) {
    const anchors = findAnchors(source.document.contents);
    const findFile = (path: string) => files.findFile(path, source.file);
    const plain = readPlain(source, anchors, { env: order.env, findFile });
    problems.push(...plain.problems);
    located.push({ source, anchors });
    const value = plain.value ?? {};
    if (isPlainMap(value)) values.push(value);
    else {
      values.push({});
      const message = 'expected a map at the top of the file';
      problems.push({ file: source.file, line: 1, column: 1, path: '', message });
    }
  }
  const united = uniteFiles(values);
  problems.push(...repetitions(united, located));
  return check(order, united, located, problems);
}

function check(
  order: LoadOrder,
  united: United,
  located: readonly Located[],
  problems: readonly Problem[],
): Found {
  const structure = readStructure(united.value);
  const found = { problems: [...structure.findings], warnings: [] as Finding[] };
  const { config } = structure;
  if (config) {
    checkSemantics(openReview(united.value, { ...structure, config }, order.nowMs, found));
  }
  const place = (finding: Finding) => locate(finding, located, united.starts);
  const [told, untold] = [found.problems.slice(0, TOLD_MAX), found.problems.length - TOLD_MAX];
  if (untold > 0) told.push({ path: [], at: 'value', message: `and ${untold} more problems` });
  return {
    config,
    problems: [...problems, ...told.map(place)],
    warnings: found.warnings.slice(0, TOLD_MAX).map(place),
  };
}

/** Names that a second file defines again, with both places. */
function repetitions(united: United, located: readonly Located[]): readonly Problem[] {
  return united.repeated.map(({ file, path }) => {
    const first = locate({ path, at: 'key', message: '' }, located.slice(0, file), united.starts);
    const message = `defined twice; first at ${first.file}:${first.line}:${first.column}`;
    return locateIn({ path, at: 'key', message }, file, located);
  });
}
