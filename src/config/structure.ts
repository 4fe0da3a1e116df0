import { explainIssue } from './issue.ts';
import type { PlainMap } from './plain.ts';
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
  /** Whether a path of `config` was written, even where it was cut or misspelt. */
  readonly wrote: (path: Path) => boolean;
};

const ROUNDS_MAX = 16;

/** Holds a value against the schema, and goes on with the sound parts, so that no problem hides another. */
export function readStructure(whole: PlainMap): Structure {
  const cut = new Map<string, Path>();
  const meant = new Set<string>();
  let findings: readonly Finding[] | undefined;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const pruned = prune(whole, cut.values());
    const value = round === 0 ? whole : { ...pruned.value, routes: pruned.value['routes'] ?? [] };
    const parsed = PolicyFile.safeParse(value);
    if (parsed.success) {
      const { sourcePath } = pruned;
      const wrote = (path: Path) => {
        const source = sourcePath(path);
        return valueAt(whole, source) !== undefined || meant.has(JSON.stringify(source));
      };
      return { findings: findings ?? [], config: parsed.data, sourcePath, wrote };
    }
    const explained = parsed.error.issues.flatMap((issue) => explainIssue(issue, value));
    for (const one of round === 0 ? explained : []) {
      if (one.meant) meant.add(JSON.stringify(one.meant));
    }
    findings ??= findingsOf(explained, meant, whole);
    const before = cut.size;
    for (const { cut: path } of explained) {
      const source = pruned.sourcePath(path);
      if (source.length > 0) cut.set(JSON.stringify(source), source);
    }
    if (cut.size === before && round > 0) break;
  }
  const sourcePath = (path: Path) => path;
  return { findings: findings ?? [], config: undefined, sourcePath, wrote: () => true };
}

/** The findings, without a word on a key that is missing only because it is misspelt. */
function findingsOf(
  explained: ReturnType<typeof explainIssue>,
  meant: ReadonlySet<string>,
  whole: PlainMap,
): readonly Finding[] {
  return explained.flatMap(({ finding }) => {
    if (!finding) return [];
    const isMisspelt = meant.has(JSON.stringify(finding.path));
    return isMisspelt && valueAt(whole, finding.path) === undefined ? [] : [finding];
  });
}
