/** A part of a configuration whose shape others define. */
export type Settings = { readonly [name: string]: unknown };

type Step = string | number;

/** A value as a map; throws for anything else. Lists are maps of their indexes. */
export function settingsOf(value: unknown): Settings {
  if (typeof value !== 'object' || value === null) throw new Error('expected a map');
  return value as Settings;
}

/** The map at a path; throws with the path where there is none. */
export function settingsAt(tree: Settings, path: readonly Step[]): Settings {
  let at: Settings = tree;
  for (const step of path) {
    const next = at[step];
    if (typeof next !== 'object' || next === null) throw new Error(`no map at ${path.join('.')}`);
    at = next as Settings;
  }
  return at;
}

/** The text at a path; throws with the path where there is none. */
export function textAt(tree: Settings, path: readonly Step[]): string {
  const text = settingsAt(tree, path.slice(0, -1))[path.at(-1) ?? ''];
  if (typeof text !== 'string') throw new Error(`no text at ${path.join('.')}`);
  return text;
}

/** Merges as protocol buffers do: maps unite, lists grow, values of the second replace those of the first. */
export function unite(first: Settings, second: Settings): Settings {
  const united: { [name: string]: unknown } = { ...first };
  for (const [name, value] of Object.entries(second)) united[name] = uniteValue(first[name], value);
  return united;
}

function uniteValue(first: unknown, second: unknown): unknown {
  if (Array.isArray(first) && Array.isArray(second)) return [...first, ...second];
  const areMaps = [first, second].every(
    (one) => typeof one === 'object' && one !== null && !Array.isArray(one),
  );
  return areMaps ? unite(first as Settings, second as Settings) : second;
}

const PLACE = /^\.\.(\w+)\[\?\(@\.name=='([^']+)'\)\]\.(\w+)$/;

/**
 * Puts a value at a path below every place that a JSON path finds; throws where it finds none. JSON paths of one form are
 * known: `..LIST[?(@.name=='NAME')].FIELD`.
 */
export function patchAt(
  tree: unknown,
  jsonPath: string,
  { path, value }: { readonly path: string; readonly value: unknown },
): void {
  const [, list = '', name = '', field = ''] = PLACE.exec(jsonPath) ?? [];
  const places = [...findNamed(tree, list, name)].map((one) => settingsAt(one, [field]));
  if (places.length === 0) throw new Error(`nothing stands at ${jsonPath}`);
  const steps = path.split('/');
  for (const place of places) {
    const parent = settingsAt(place, steps.slice(0, -1)) as { [name: string]: unknown };
    parent[steps.at(-1) ?? ''] = value;
  }
}

/** The elements of that name in every list of that name, however deep. */
function* findNamed(tree: unknown, list: string, name: string): Generator<Settings> {
  if (typeof tree !== 'object' || tree === null) return;
  for (const [key, value] of Object.entries(tree)) {
    if (key === list && Array.isArray(value)) yield* value.filter((one) => one?.name === name);
    yield* findNamed(value, list, name);
  }
}
