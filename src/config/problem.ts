/** Steps from the root of a policy to a value: keys of maps and places in lists. */
export type Path = readonly (string | number)[];

/** What is wrong (or, as a warning, doubtful) at one place of a policy. Line and column begin at 1. */
export type Problem = {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** As in `routes[1].path`. */
  readonly path: string;
  readonly message: string;
};

/** A problem whose place in a file is not looked up yet; `at` says whether the key or its value is meant. */
export type Finding = {
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly message: string;
};

/** Writes a path: `routes[1].path`, `scopes["a:read"]`. */
export function writePath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** Writes a problem as one line: `policy.yaml:6:20 routes[1].paht: unknown key; did you mean "path"?`. */
export function writeProblem(problem: Problem): string {
  const { file, line, column, path, message } = problem;
  return `${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`;
}

/** Problems in the order of their places, each once. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const byText = new Map(problems.map((problem) => [writeProblem(problem), problem]));
  return [...byText.values()].sort(
    (one, other) =>
      compareTexts(one.file, other.file) || one.line - other.line || one.column - other.column,
  );
}

function compareTexts(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
