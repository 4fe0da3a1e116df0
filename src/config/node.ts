import {
  type Alias,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';

/** Which node each alias of a document stands for: the last one before it that has its anchor. */
export type Anchors = ReadonlyMap<Alias, Node | undefined>;

/** Resolves the aliases of a document, in document order. */
export function findAnchors(root: unknown): Anchors {
  const byName = new Map<string, Node>();
  const aliases = new Map<Alias, Node | undefined>();
  const walk = (node: unknown): void => {
    if (isAlias(node)) aliases.set(node, byName.get(node.source));
    else if (isScalar(node) || isCollection(node)) {
      if (node.anchor !== undefined) byName.set(node.anchor, node);
    }
    for (const child of childrenOf(node)) walk(child);
  };
  walk(root);
  return aliases;
}

function childrenOf(node: unknown): readonly unknown[] {
  if (isPair(node)) return [node.key, node.value];
  return isCollection(node) ? node.items : [];
}

/** The node itself, or the one an alias stands for. */
export function resolveNode(node: unknown, anchors: Anchors): unknown {
  let resolved = node;
  for (let hops = 0; isAlias(resolved) && hops < 16; hops += 1) resolved = anchors.get(resolved);
  return resolved;
}

/** Whether a pair is `<<: …`, which brings in another map's pairs. */
export function isMergePair(pair: Pair): boolean {
  return (
    isScalar(pair.key) && typeof pair.key.value === 'symbol' && pair.key.value.description === '<<'
  );
}

/** The maps that a `<<` names; undefined when its value is no map and no list of maps. */
export function mergedMaps(pair: Pair, anchors: Anchors): readonly YAMLMap[] | undefined {
  const source = resolveNode(pair.value, anchors);
  const maps = isSeq(source) ? source.items.map((item) => resolveNode(item, anchors)) : [source];
  return maps.every((map) => isMap(map)) ? maps : undefined;
}

/** The text of a map's key; undefined for a key that is no plain value. */
export function keyText(pair: Pair): string | undefined {
  const { key } = pair;
  if (!isScalar(key) || typeof key.value === 'symbol' || key.value === null) return undefined;
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

/** Where a node begins, as an offset into its file. */
export function startOf(node: unknown): number | undefined {
  const range =
    isAlias(node) || isScalar(node) || isMap(node) || isSeq(node) ? node.range : undefined;
  return range?.[0];
}
