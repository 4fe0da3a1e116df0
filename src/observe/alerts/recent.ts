/** A map of bounded size that forgets what was longest not asked for. */
export type Recent<V> = {
  readonly get: (key: string) => V | undefined;
  readonly put: (key: string, value: V) => void;
  readonly remove: (key: string) => void;
  readonly clear: () => void;
};

/** Makes a map of at most `max` entries. */
export function createRecent<V>(max: number): Recent<V> {
  const entries = new Map<string, V>();
  const put = (key: string, value: V) => {
    entries.delete(key);
    entries.set(key, value);
    if (entries.size <= max) return;
    for (const oldest of entries.keys()) {
      entries.delete(oldest);
      return;
    }
  };
  return {
    get: (key) => {
      const value = entries.get(key);
      if (value !== undefined) put(key, value);
      return value;
    },
    put,
    remove: (key) => void entries.delete(key),
    clear: () => entries.clear(),
  };
}
