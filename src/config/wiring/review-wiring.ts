import type { SourceText } from '../file-set.ts';
import { type Problem, sortProblems } from '../problem.ts';
import type { Needs } from './needs.ts';
import { parseWiring } from './parse.ts';
import type { Rule } from './rule.ts';
import { ANSWER_RULES } from './rules-answer.ts';
import { ASKED_RULES } from './rules-asked.ts';
import { CHANGE_RULES } from './rules-change.ts';
import { CLIENT_RULES } from './rules-client.ts';
import { CLUSTER_RULES } from './rules-cluster.ts';
import { LOG_RULES } from './rules-log.ts';
import { PATCH_RULES } from './rules-patch.ts';
import { PATH_RULES } from './rules-path.ts';
import { SIGHT_RULES } from './rules-sight.ts';
import { problemAt } from './spot.ts';
import { readWiring, type Wiring } from './wiring.ts';

const RULES = [
  ...ANSWER_RULES,
  ...ASKED_RULES,
  ...SIGHT_RULES,
  ...CLIENT_RULES,
  ...PATH_RULES,
  ...CHANGE_RULES,
  ...CLUSTER_RULES,
  ...LOG_RULES,
  ...PATCH_RULES,
] as const satisfies readonly Rule[];

/** The name of a warning about wiring, which is its anchor in docs/wiring.md. */
export type WiringWarning = (typeof RULES)[number]['name'] | 'no_ext_authz';

/** Every name, each once. */
export const WIRING_WARNINGS: readonly WiringWarning[] = [
  ...new Set<WiringWarning>(['no_ext_authz', ...RULES.map(({ name }) => name)]),
];

export type NamedWarning = { readonly name: WiringWarning; readonly problem: Problem };

/** What stands against the wiring; with problems a file could not be read, and its warnings are not known. */
export type WiringReview = {
  readonly problems: readonly Problem[];
  readonly warnings: readonly NamedWarning[];
};

/** Judges how Envoy is wired to Postern by what a policy needs. The files are judged together: one may patch another. */
export function reviewWiring(sources: readonly SourceText[], needs: Needs): WiringReview {
  const parsed = sources.map(parseWiring);
  const problems = parsed.flatMap((one) => one.problems);
  const wiring = readWiring(parsed.flatMap(({ documents }) => documents));
  if (problems.length > 0) return { problems: sortProblems(problems), warnings: [] };
  const warnings = RULES.flatMap((rule) =>
    rule.find(wiring, needs).map(({ spot, message }) => {
      return { name: rule.name, problem: problemAt(spot, message) };
    }),
  );
  return { problems, warnings: sortWarnings([...warnings, ...nothingFound(wiring, sources)]) };
}

/** Files in which nothing asks Postern have likely been mistaken for others. */
function nothingFound(
  { guards, resources }: Wiring,
  [first]: readonly SourceText[],
): readonly NamedWarning[] {
  const isAsked = guards.length > 0 || resources.some(({ kind }) => kind === 'AuthorizationPolicy');
  if (isAsked || !first) return [];
  const message = 'nothing here makes Envoy ask Postern: name the files with ext_authz';
  const problem = { file: first.file, line: 1, column: 1, path: '', message };
  return [{ name: 'no_ext_authz', problem }];
}

/** In the order of their places, each once. */
function sortWarnings(warnings: readonly NamedWarning[]): readonly NamedWarning[] {
  const byProblem = new Map(warnings.map((one) => [one.problem, one]));
  return sortProblems(warnings.map(({ problem }) => problem)).flatMap(
    (problem) => byProblem.get(problem) ?? [],
  );
}
