import { isMap, isSeq, type Pair, type YAMLMap } from 'yaml';
import { type PolicyDocument, placeOf } from './document.ts';
import { type Anchors, isMergePair, keyText, mergedMaps, resolveNode, startOf } from './node.ts';
import { type Finding, type Path, type Problem, writePath } from './problem.ts';
import { findJoined, startKey, type United } from './unite.ts';

/** A file of a policy, ready for looking up places in it. */
export type Located = { readonly source: PolicyDocument; readonly anchors: Anchors };

type Hit = { readonly depth: number; readonly offset: number; readonly file: number };

/** Turns a finding into a problem with its file, line and column; what is missing stands where it should be. */
export function locate(
  finding: Finding,
  files: readonly Located[],
  starts: United['starts'],
): Problem {
  let best: Hit = { depth: -1, offset: 0, file: 0 };
  for (let file = 0; file < files.length; file += 1) {
    const hit = findIn(finding, file, files, starts);
    if (hit && hit.depth > best.depth) best = hit;
  }
  const source = files[best.file]?.source;
  const place = source ? placeOf(source, best.offset) : { file: '', line: 1, column: 1 };
  return { ...place, path: writePath(finding.path), message: finding.message };
}

/** The place of a path in one file, told by its index. */
export function locateIn(finding: Finding, file: number, files: readonly Located[]): Problem {
  const hit = files[file] && follow(finding, file, files[file]);
  const source = files[file]?.source;
  const place = source ? placeOf(source, hit?.offset ?? 0) : { file: '', line: 1, column: 1 };
  return { ...place, path: writePath(finding.path), message: finding.message };
}

function findIn(
  finding: Finding,
  file: number,
  files: readonly Located[],
  starts: United['starts'],
): Hit | undefined {
  const located = files[file];
  if (!located) return undefined;
  const joined = findJoined(finding.path);
  if (!joined) return follow(finding, file, located);
  const start = starts.get(startKey(joined.list, file));
  const index = Number(finding.path[joined.depth]) - (start ?? 0);
  if (start === undefined || index < 0) return undefined;
  const path: Path = finding.path.with(joined.depth, index);
  return follow({ ...finding, path }, file, located);
}

/** Follows a path as far as the file holds it. */
function follow(finding: Finding, file: number, { source, anchors }: Located): Hit {
  const { path, at } = finding;
  let value: unknown = source.document.contents;
  let offset = startOf(value) ?? 0;
  for (const [depth, step] of path.entries()) {
    const next = findChild(resolveNode(value, anchors), step, anchors);
    if (!next) return { depth, offset, file };
    const isKey = at === 'key' && depth === path.length - 1;
    const meant = isKey ? (next.key ?? next.value) : next.value;
    offset = startOf(meant) ?? startOf(next.key) ?? offset;
    value = next.value;
  }
  return { depth: path.length, offset, file };
}

type Child = { readonly key?: unknown; readonly value: unknown };

function findChild(parent: unknown, step: string | number, anchors: Anchors): Child | undefined {
  if (isMap(parent)) return findPair(parent, String(step), anchors);
  if (!isSeq(parent) || typeof step === 'string') return undefined;
  return parent.items[step] === undefined ? undefined : { value: parent.items[step] };
}

/** The pair of a key, written in the map or brought in by `<<`; a `<<` may hold itself, so hops are bounded. */
function findPair(map: YAMLMap, key: string, anchors: Anchors, hops = 0): Pair | undefined {
  const own = map.items.find((pair) => !isMergePair(pair) && keyText(pair) === key);
  if (own || hops > 16) return own;
  for (const pair of map.items) {
    if (!isMergePair(pair)) continue;
    for (const source of mergedMaps(pair, anchors) ?? []) {
      const found = findPair(source, key, anchors, hops + 1);
      if (found) return found;
    }
  }
  return undefined;
}
