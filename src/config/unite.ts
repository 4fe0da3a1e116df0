import { isPlainMap, type PlainMap } from './plain.ts';
import type { Path } from './problem.ts';
import { valueAt } from './prune.ts';

/** Lists that files of one policy add to, in the order of the files. */
const JOINED = new Set(['routes', 'issuers', 'blocks', 'api_keys.declared']);
/** Maps whose entries have a name: an entry is defined in one place, and never united with another. */
const NAMED = new Set(['scopes', 'roles', 'plans', 'workspaces', 'api_keys.prefixes']);

/** The values of several files as one; where a joined list of each file begins, by `list:file`. */
export type United = {
  readonly value: PlainMap;
  readonly starts: ReadonlyMap<string, number>;
  /** Places defined by a second file: the file's index and the path in it. */
  readonly repeated: readonly { readonly file: number; readonly path: Path }[];
};

/** Unites the maps of files recursively and joins their lists of routes, issuers, blocks and declared keys. */
export function uniteFiles(files: readonly PlainMap[]): United {
  const repeated: { file: number; path: Path }[] = [];
  let value: PlainMap = {};
  for (const [file, map] of files.entries()) {
    value = uniteMaps(value, map, [], (path) => repeated.push({ file, path }));
  }
  return { value, starts: startsOf(files), repeated };
}

function uniteMaps(
  one: PlainMap,
  other: PlainMap,
  path: Path,
  onRepeated: (path: Path) => void,
): PlainMap {
  const united: Record<string, unknown> = { ...one };
  const areNames = NAMED.has(path.join('.'));
  for (const [key, value] of Object.entries(other)) {
    const at = [...path, key];
    const earlier = Object.hasOwn(united, key) ? united[key] : undefined;
    if (earlier === undefined) united[key] = value;
    else if (isPlainMap(earlier) && isPlainMap(value) && !areNames) {
      united[key] = uniteMaps(earlier, value, at, onRepeated);
    } else if (isJoined(at) && Array.isArray(earlier) && Array.isArray(value)) {
      united[key] = earlier.concat(value);
    } else onRepeated(at);
  }
  return united;
}

function isJoined(path: Path): boolean {
  return JOINED.has(path.join('.'));
}

/** Where each file's part of each joined list begins. */
function startsOf(files: readonly PlainMap[]): United['starts'] {
  const starts = new Map<string, number>();
  for (const list of JOINED) {
    let length = 0;
    for (const [index, file] of files.entries()) {
      const part = valueAt(file, list.split('.'));
      if (!Array.isArray(part)) continue;
      starts.set(startKey(list, index), length);
      length += part.length;
    }
  }
  return starts;
}

/** The list that a path leads into and the index in it, where files join that list. */
export function findJoined(
  path: Path,
): { readonly list: string; readonly depth: number } | undefined {
  for (let depth = 1; depth < Math.min(path.length, 3); depth += 1) {
    const list = path.slice(0, depth).join('.');
    if (JOINED.has(list) && typeof path[depth] === 'number') return { list, depth };
  }
  return undefined;
}

/** Writes the key under which `starts` knows where a file's part of a joined list begins. */
export function startKey(list: string, file: number): string {
  return `${list}:${file}`;
}
