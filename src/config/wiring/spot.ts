import { isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import { placeOf } from '../document.ts';
import { isMergePair, keyText, mergedMaps, resolveNode, startOf } from '../node.ts';
import { type Path, type Problem, writePath } from '../problem.ts';
import type { WiringDocument } from './parse.ts';

/** A place in a wiring file, and what stands there; where nothing does, the place of what should hold it. */
export type Spot = {
  readonly document: WiringDocument;
  readonly path: Path;
  /** A node of the YAML library, with aliases resolved; undefined where nothing stands. */
  readonly node: unknown;
  readonly offset: number;
  readonly up: Spot | undefined;
};

/** Where a document begins. */
export function rootOf(document: WiringDocument): Spot {
  const node = resolveNode(document.root, document.anchors);
  return { document, path: [], node, offset: startOf(document.root) ?? 0, up: undefined };
}

/** Follows keys and list places; a key is found as `snake_case` and as `camelCase`, both of which Envoy reads. */
export function at(spot: Spot, ...steps: Path): Spot {
  return steps.reduce<Spot>(step, spot);
}

/** Whether something stands there; an empty value is nothing. */
export function isThere({ node }: Spot): boolean {
  return node !== undefined && node !== null && !(isScalar(node) && node.value === null);
}

/** The text, or the number as a text. */
export function textAt({ node }: Spot): string | undefined {
  if (!isScalar(node)) return undefined;
  const { value } = node;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** The whole or broken number, also one written as a text, as protocol buffers allow. */
export function numberAt(spot: Spot): number | undefined {
  const text = textAt(spot);
  return text !== undefined && /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Whether it is set and does not say false: what cannot be read counts as on. */
export function isOn(spot: Spot): boolean {
  return isThere(spot) && !isFalse(spot);
}

/** Whether it says true. */
export function isTrue({ node }: Spot): boolean {
  return isScalar(node) && (node.value === true || node.value === 'true');
}

/** Whether it says false. */
export function isFalse({ node }: Spot): boolean {
  return isScalar(node) && (node.value === false || node.value === 'false');
}

/** The items of a list. */
export function itemsOf(spot: Spot): readonly Spot[] {
  return isSeq(spot.node) ? spot.node.items.map((_item, index) => step(spot, index)) : [];
}

/** The entries of a map, those that `<<` brings in left out. */
export function entriesOf(spot: Spot): readonly (readonly [string, Spot])[] {
  if (!isMap(spot.node)) return [];
  return spot.node.items.flatMap((pair) => {
    const key = isMergePair(pair) ? undefined : keyText(pair);
    return key === undefined ? [] : [[key, child(spot, key, pair)] as const];
  });
}

/** Every map below a place, itself included; what an alias repeats is visited once. */
export function everyMap(root: Spot): readonly Spot[] {
  return everySpot(root).filter(({ node }) => isMap(node));
}

/** Every place below this one in the order of the text, itself included; what an alias repeats is visited once. */
export function everySpot(root: Spot): readonly Spot[] {
  const found: Spot[] = [];
  const seen = new Set<unknown>();
  const waiting = [root];
  for (let spot = waiting.pop(); spot; spot = waiting.pop()) {
    if (seen.has(spot.node)) continue;
    seen.add(spot.node);
    found.push(spot);
    waiting.push(...[...entriesOf(spot).map(([, value]) => value), ...itemsOf(spot)].reverse());
  }
  return found;
}

/** The nearest place above, or this one, for which something holds. */
export function findAbove(spot: Spot, holds: (one: Spot) => boolean): Spot | undefined {
  for (let one: Spot | undefined = spot; one; one = one.up) if (holds(one)) return one;
  return undefined;
}

/** Writes a place as a problem of policies does. */
export function problemAt(spot: Spot, message: string): Problem {
  const { document, offset, path } = spot;
  const { file, line, column } = placeOf(document, offset);
  const { lines, columns } = document.shift;
  return {
    file,
    line: line + lines,
    column: column + columns,
    path: writePath(path),
    message,
  };
}

function step(spot: Spot, name: string | number): Spot {
  const { node, path, offset } = spot;
  const missing: Spot = { ...spot, path: [...path, name], node: undefined, up: spot };
  if (typeof name === 'number') {
    const item = isSeq(node) ? node.items[name] : undefined;
    if (item === undefined) return missing;
    return {
      ...missing,
      node: resolveNode(item, spot.document.anchors),
      offset: startOf(item) ?? offset,
    };
  }
  const pair = isMap(node) ? findPair(node, camel(name), spot) : undefined;
  return pair ? child(spot, keyText(pair) ?? name, pair) : missing;
}

function child(spot: Spot, key: string, { key: name, value }: { key: unknown; value: unknown }) {
  return {
    document: spot.document,
    path: [...spot.path, key],
    node: resolveNode(value, spot.document.anchors),
    offset: startOf(name) ?? startOf(value) ?? spot.offset,
    up: spot,
  };
}

/** The last pair of a key counts, as for most readers; a `<<` may hold itself, so hops are bounded. */
function findPair(
  map: YAMLMap,
  wanted: string,
  spot: Spot,
  hops = 0,
): YAMLMap['items'][number] | undefined {
  const isWanted = (pair: YAMLMap['items'][number]) =>
    !isMergePair(pair) && camel(keyText(pair) ?? '') === wanted;
  const own = map.items.findLast(isWanted);
  if (own || hops > 16) return own;
  for (const pair of map.items) {
    if (!isMergePair(pair)) continue;
    for (const source of mergedMaps(pair, spot.document.anchors) ?? []) {
      const found = findPair(source, wanted, spot, hops + 1);
      if (found) return found;
    }
  }
  return undefined;
}

/** Whether two names are one, as `http_filters` and `httpFilters` are. */
export function isSameName(one: string, other: string): boolean {
  return camel(one) === camel(other);
}

function camel(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}
