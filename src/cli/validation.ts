import { compilePolicy } from '../config/compile.ts';
import { openFileSet, type SourceText } from '../config/file-set.ts';
import { type Loaded, loadPolicy } from '../config/load.ts';
import { type Problem, writeProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { readSettings } from '../config/settings.ts';
import { readNeeds } from '../config/wiring/needs.ts';
import {
  type NamedWarning,
  reviewWiring,
  WIRING_WARNINGS,
  type WiringReview,
} from '../config/wiring/review-wiring.ts';
import type { Given } from './arguments.ts';
import type { Session } from './session.ts';
import { UsageError } from './usage.ts';

const DOCS = 'docs/wiring.md';
const NO_REVIEW: WiringReview = { problems: [], warnings: [] };

type Found = WiringReview & { readonly loaded: Loaded };

/** Checks a policy, and the wiring where it is given; the answer is the exit code. */
export async function validate(given: Given, session: Session): Promise<number> {
  const [path = ''] = given.operands;
  const ignored = readIgnored(given);
  const loaded = loadPolicy({ path, env: session.env, nowMs: session.now() });
  const { config, hash } = loaded;
  const review = config ? await reviewFiles({ config, hash }, given) : NO_REVIEW;
  const warnings = review.warnings.filter(({ name }) => !ignored.has(name));
  const found = { loaded, problems: review.problems, warnings };
  if (given.flags.has('json')) session.out(JSON.stringify(jsonOf(path, found), undefined, 2));
  else tell(path, found, session);
  return exitCodeOf(found, given.flags.has('strict'));
}

/** The names to leave out; one that does not exist is likely misspelt. */
function readIgnored({ text }: Given): ReadonlySet<string> {
  const names = listOf(text['ignore']);
  const unknown = names.find((name) => !WIRING_WARNINGS.some((known) => known === name));
  if (unknown === undefined) return new Set(names);
  throw new UsageError(`postern validate: --ignore: no warning has this name; see ${DOCS}`);
}

async function reviewFiles(
  { config, hash }: { readonly config: Config; readonly hash: string },
  { text }: Given,
): Promise<WiringReview> {
  const paths = listOf(text['envoy']);
  if (paths.length === 0) return NO_REVIEW;
  const sources: SourceText[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    const opened = openFileSet(path).openSources();
    if ('problem' in opened) problems.push(wholeFile(path, opened.problem));
    else if (opened.length === 0) problems.push(wholeFile(path, 'holds no *.yaml or *.yml file'));
    else sources.push(...opened);
  }
  const needs = readNeeds(await compilePolicy({ config, hash }), readSettings(config));
  const review = reviewWiring(sources, needs);
  return { problems: [...problems, ...review.problems], warnings: review.warnings };
}

function wholeFile(file: string, message: string): Problem {
  return { file, line: 1, column: 1, path: '', message };
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? '').split(',').filter((one) => one !== '');
}

function exitCodeOf({ loaded, problems, warnings }: Found, isStrict: boolean): number {
  if (!loaded.config || problems.length > 0) return 2;
  return isStrict && loaded.warnings.length + warnings.length > 0 ? 1 : 0;
}

function tell(path: string, { loaded, problems, warnings }: Found, session: Session): void {
  for (const problem of [...loaded.problems, ...problems]) {
    session.err(`error: ${writeProblem(problem)}`);
  }
  for (const warning of loaded.warnings) session.err(`warning: ${writeProblem(warning)}`);
  for (const { name, problem } of warnings) {
    session.err(`warning: ${writeProblem({ ...problem, path: name })}`);
  }
  const all = counted(loaded.warnings.length + warnings.length, 'warning');
  const { config } = loaded;
  if (!config) {
    session.out(`${path}: ${counted(loaded.problems.length, 'problem')}, ${all}`);
    return;
  }
  const parts = [
    counted(config.routes.length, 'route'),
    counted(config.api_keys.declared.length, 'declared key'),
    counted(config.issuers.length, 'issuer'),
    all,
  ];
  session.out(`${path}: sound (${parts.join(', ')}), policy ${loaded.hash.slice(0, 12)}`);
}

function jsonOf(path: string, { loaded, problems, warnings }: Found): object {
  return {
    policy: {
      path,
      hash: loaded.hash,
      sound: loaded.config !== undefined,
      problems: loaded.problems,
      warnings: loaded.warnings,
    },
    wiring: { problems, warnings: warnings.map(namedOf) },
  };
}

function namedOf({ name, problem }: NamedWarning): object {
  return { name, ...problem, docs: `${DOCS}#${name}` };
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
