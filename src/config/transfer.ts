import { isPlainMap, type PlainMap } from './plain.ts';
import { valueAt } from './prune.ts';
import type { Config } from './schema.ts';

/**
 * Entries of one list or map of a policy file, few enough that receiving them delays nobody. Declared keys come
 * as JSON, because a text costs the receiver's garbage collector nothing until it is compiled.
 */
export type Part =
  | { readonly path: readonly string[]; readonly entries: readonly Entry[] }
  | { readonly keys: string };
type Entry = readonly [string | number, unknown];

const LARGE = [
  ['routes'],
  ['issuers'],
  ['blocks'],
  ['scopes'],
  ['roles'],
  ['plans'],
  ['workspaces'],
  ['api_keys', 'prefixes'],
] as const;

const DECLARED = ['api_keys', 'declared'];

/** Entries of one part: receiving one takes about a millisecond. */
const ENTRIES_MAX = 200;

/** A policy file without the entries of its large lists and maps, which follow in parts. */
export function splitConfig(config: Config): {
  readonly head: PlainMap;
  readonly parts: Iterable<Part>;
} {
  let head: PlainMap = replaceAt(config, DECLARED, emptied);
  for (const path of LARGE) head = replaceAt(head, path, emptied);
  return { head, parts: partsOf(config) };
}

/** Puts the entries of a part back into a head. The head is this function's own and grows. */
export function addPart(head: PlainMap, part: Exclude<Part, { keys: string }>): void {
  const { path, entries } = part;
  const target = valueAt(head, path) as Record<string | number, unknown>;
  for (const [key, value] of entries) target[key] = value;
}

function* partsOf(config: Config): Iterable<Part> {
  for (const path of LARGE) {
    const value = valueAt(config, path);
    const entries: readonly Entry[] = Array.isArray(value)
      ? [...value.entries()]
      : Object.entries(isPlainMap(value) ? value : {});
    for (let start = 0; start < entries.length; start += ENTRIES_MAX) {
      yield { path, entries: entries.slice(start, start + ENTRIES_MAX) };
    }
  }
  const { declared } = config.api_keys;
  for (let start = 0; start < declared.length; start += ENTRIES_MAX) {
    yield { keys: JSON.stringify(declared.slice(start, start + ENTRIES_MAX)) };
  }
}

function replaceAt(
  map: PlainMap,
  [first, ...rest]: readonly string[],
  change: (value: unknown) => unknown,
): PlainMap {
  if (first === undefined || !Object.hasOwn(map, first)) return map;
  const value = map[first];
  const changed =
    rest.length > 0 && isPlainMap(value) ? replaceAt(value, rest, change) : change(value);
  return { ...map, [first]: changed };
}

function emptied(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  return isPlainMap(value) ? {} : value;
}
