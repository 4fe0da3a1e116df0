/** The keys of a script, each once, and the place of each, counted from 1 as Lua does. */
export type NamedKeys = {
  /** All that were asked for, by their places. */
  readonly keys: () => string[];
  /** The place of a key, which is the next one where it has none yet. */
  readonly placeOf: (key: string) => number;
};

/** Begins with keys that a script finds at fixed places. */
export function createNamedKeys(first: readonly string[] = []): NamedKeys {
  const places = new Map(first.map((key, at) => [key, at + 1]));
  return {
    keys: () => [...places.keys()],
    placeOf(key) {
      const place = places.get(key) ?? places.size + 1;
      places.set(key, place);
      return place;
    },
  };
}
