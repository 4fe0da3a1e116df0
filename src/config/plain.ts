import { isMap, isScalar, isSeq, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';
import { type PolicyDocument, placeOf } from './document.ts';
import { interpolate, type Lookups } from './interpolate.ts';
import { type Anchors, isMergePair, keyText, mergedMaps, resolveNode, startOf } from './node.ts';
import { type Path, type Problem, writePath } from './problem.ts';

/** A map of a policy. Its keys are own properties only. */
export type PlainMap = Readonly<Record<string, unknown>>;

/** Stands where a value could not be read; its problem is reported already. */
export const BROKEN: unique symbol = Symbol('broken');

/** Values that aliases may add to those a file writes out. */
const EXPANDED_MAX = 2_000_000;
const DEPTH_MAX = 64;

type Walk = {
  readonly source: PolicyDocument;
  readonly anchors: Anchors;
  readonly lookups: Lookups;
  readonly problems: Problem[];
  /** What each collection became and how many values it holds, for the aliases of it. */
  readonly done: Map<unknown, { readonly value: unknown; readonly size: number }>;
  readonly open: Set<unknown>;
  /** Values so far, those of aliases included, and those of aliases alone. */
  size: number;
  expanded: number;
};

/** Makes plain values of a file: aliases and `<<` resolved, placeholders replaced, top-level `x-…` left out. */
export function readPlain(
  source: PolicyDocument,
  anchors: Anchors,
  lookups: Lookups,
): { readonly value: unknown; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const walk: Walk = {
    source,
    anchors,
    lookups,
    problems,
    done: new Map(),
    open: new Set(),
    size: 0,
    expanded: 0,
  };
  const value = plainOf(source.document.contents, [], walk);
  return { value, problems };
}

export function isPlainMap(value: unknown): value is PlainMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function plainOf(written: unknown, path: Path, walk: Walk): unknown {
  const node = resolveNode(written, walk.anchors);
  if (isScalar(node)) return scalarOf(node.value, written, path, walk);
  if (!isMap(node) && !isSeq(node)) {
    if (node === null || written === null) return null;
    return report(written, path, 'this alias names no anchor before it', walk);
  }
  const known = walk.done.get(node);
  if (known) return isWithin(known.size, written, path, walk) ? known.value : BROKEN;
  if (walk.open.has(node)) return report(written, path, 'this alias holds itself', walk);
  if (path.length > DEPTH_MAX) return report(written, path, 'this is nested too deeply', walk);
  walk.open.add(node);
  const before = walk.size;
  const value = isMap(node) ? mapOf(node, path, walk) : listOf(node, path, walk);
  walk.open.delete(node);
  if (node.anchor !== undefined) walk.done.set(node, { value, size: walk.size - before });
  return value;
}

function scalarOf(value: unknown, written: unknown, path: Path, walk: Walk): unknown {
  walk.size += 1;
  if (typeof value !== 'string') return typeof value === 'bigint' ? Number(value) : value;
  const replaced = interpolate(value, walk.lookups);
  return 'text' in replaced ? replaced.text : report(written, path, replaced.problem, walk);
}

function listOf(node: YAMLSeq, path: Path, walk: Walk): unknown {
  return node.items.map((item, index) => plainOf(item, [...path, index], walk));
}

function mapOf(node: YAMLMap, path: Path, walk: Walk): unknown {
  const map: Record<string, unknown> = {};
  const first = new Map<string, Pair>();
  const merges: Pair[] = [];
  for (const pair of node.items) {
    const key = keyText(pair);
    const fault = keyFault(key, first, walk);
    if (isMergePair(pair)) merges.push(pair);
    else if (key === undefined || fault !== undefined) {
      report(pair.key, [...path, key ?? '?'], fault ?? 'a key is a text', walk);
    } else if (path.length > 0 || !key.startsWith('x-')) {
      first.set(key, pair);
      map[key] = plainOf(pair.value, [...path, key], walk);
    }
  }
  for (const pair of merges) merge(pair, map, path, walk);
  return map;
}

function keyFault(
  key: string | undefined,
  first: ReadonlyMap<string, Pair>,
  walk: Walk,
): string | undefined {
  if (key === undefined) return undefined;
  if (key === '__proto__') return 'this key is not allowed';
  const earlier = first.get(key);
  if (!earlier) return undefined;
  const place = placeOf(walk.source, startOf(earlier.key) ?? 0);
  return `defined twice; first at ${place.file}:${place.line}:${place.column}`;
}

/** Takes over the pairs of other maps, the first of which wins, that the map itself lacks. */
function merge(pair: Pair, map: Record<string, unknown>, path: Path, walk: Walk): void {
  const sources = mergedMaps(pair, walk.anchors);
  if (!sources) {
    report(pair.key, [...path, '<<'], 'expected a map or a list of maps', walk);
    return;
  }
  for (const source of sources) {
    const merged = plainOf(source, path, walk);
    if (!isPlainMap(merged)) continue;
    for (const [key, value] of Object.entries(merged)) {
      if (!Object.hasOwn(map, key)) map[key] = value;
    }
  }
}

function isWithin(size: number, written: unknown, path: Path, walk: Walk): boolean {
  walk.size += size;
  walk.expanded += size;
  if (walk.expanded <= EXPANDED_MAX) return true;
  report(written, path, 'aliases expand to too many values', walk);
  return false;
}

/** Notes a problem and answers what stands for the value. */
function report(node: unknown, path: Path, message: string, walk: Walk): typeof BROKEN {
  const place = placeOf(walk.source, startOf(node) ?? 0);
  walk.problems.push({ ...place, path: writePath(path), message });
  return BROKEN;
}
