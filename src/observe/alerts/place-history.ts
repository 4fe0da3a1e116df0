/** What a key is known by: the countries and networks it was used from, the oldest first. */
export type PlaceHistory = {
  readonly country: readonly string[];
  readonly network: readonly string[];
};

export type PlaceKind = keyof PlaceHistory;

/** Places of a kind that are remembered; beyond them the oldest is forgotten. */
const PLACES_MAX = 64;

export const NO_HISTORY: PlaceHistory = { country: [], network: [] };

/** Reads what `writeHistory` wrote. Anything else is an empty history. */
export function readHistory(text: string | undefined): PlaceHistory {
  if (text === undefined) return NO_HISTORY;
  try {
    const read: unknown = JSON.parse(text);
    return { country: listOf(read, 'country'), network: listOf(read, 'network') };
  } catch {
    return NO_HISTORY;
  }
}

export function writeHistory(history: PlaceHistory): string {
  return JSON.stringify(history);
}

/** A history with what another one has more, and no more than is remembered. */
export function mergeHistories(one: PlaceHistory, other: PlaceHistory): PlaceHistory {
  return {
    country: joined(one.country, other.country),
    network: joined(one.network, other.network),
  };
}

function joined(one: readonly string[], other: readonly string[]): readonly string[] {
  const more = other.filter((place) => !one.includes(place));
  return more.length === 0 ? one : [...one, ...more].slice(-PLACES_MAX);
}

function listOf(read: unknown, kind: PlaceKind): readonly string[] {
  if (typeof read !== 'object' || read === null || !(kind in read)) return [];
  const list: unknown = (read as { readonly [kind: string]: unknown })[kind];
  if (!Array.isArray(list)) return [];
  return list.filter((one): one is string => typeof one === 'string').slice(-PLACES_MAX);
}
