import { isPlainMap, type PlainMap } from './plain.ts';
import type { Path } from './problem.ts';

/** A value without its broken parts. */
export type Pruned = {
  readonly value: PlainMap;
  /** The path in the whole value of a path in this one: lists close up where entries are cut. */
  readonly sourcePath: (path: Path) => Path;
};

type Cuts = { readonly here: boolean; readonly below: ReadonlyMap<string | number, Cuts> };

/** Cuts the values at some paths out of a value, which itself stays as it is. */
export function prune(whole: PlainMap, cut: Iterable<Path>): Pruned {
  const kept = new Map<string, readonly number[]>();
  const value = without(whole, treeOf(cut), [], kept);
  return {
    value: isPlainMap(value) ? value : {},
    sourcePath: (path) => {
      const source: (string | number)[] = [];
      for (const step of path) {
        const indexes = kept.get(JSON.stringify(source));
        source.push(typeof step === 'number' ? (indexes?.[step] ?? step) : step);
      }
      return source;
    },
  };
}

/** The value at a path, by own keys; undefined when there is none. */
export function valueAt(whole: unknown, path: Path): unknown {
  let value = whole;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

function treeOf(cut: Iterable<Path>): Cuts {
  type Growing = { here: boolean; below: Map<string | number, Growing> };
  const root: Growing = { here: false, below: new Map() };
  for (const path of cut) {
    let at = root;
    for (const step of path) {
      const next = at.below.get(step) ?? { here: false, below: new Map() };
      at.below.set(step, next);
      at = next;
    }
    at.here = true;
  }
  return root;
}

function without(
  value: unknown,
  cuts: Cuts,
  path: Path,
  kept: Map<string, readonly number[]>,
): unknown {
  const remains = ([step]: readonly [string | number, unknown]) =>
    cuts.below.get(step)?.here !== true;
  const inner = ([step, child]: readonly [string | number, unknown]) => {
    const below = cuts.below.get(step);
    return below ? without(child, below, [...path, step], kept) : child;
  };
  if (Array.isArray(value)) {
    const entries = [...value.entries()].filter(remains);
    kept.set(
      JSON.stringify(path),
      entries.map(([index]) => index),
    );
    return entries.map(inner);
  }
  if (!isPlainMap(value)) return value;
  const entries = Object.entries(value).filter(remains);
  return Object.fromEntries(entries.map((entry) => [entry[0], inner(entry)]));
}
