import type { Answer } from '../../../core/ports.ts';
import { ABSENT_MAX, createDoor, type GateCacheOptions } from '../../gate-cache.ts';
import { createRecentMap } from '../../recent-map.ts';
import type { Stamp } from './news.ts';

/** What was read of a name, undefined where there is nothing, and the stamp that stood when it was read. */
export type Found<V> = { readonly value: V | undefined; readonly stamp: Stamp };

/** Look-ups of one kind of record: at hand, or on their way from Redis, one at a time for each name. */
export type LookUps<V> = {
  readonly find: (name: string) => Answer<V | undefined>;
  /**
   * Forgets what was read before the change of this number. Without one it forgets whatever was read: then also what
   * is on its way answers those only who wait for it already.
   */
  readonly drop: (name: string, number?: number) => void;
  readonly clear: () => void;
};

export type LookUpsOptions<V> = GateCacheOptions & {
  readonly read: (name: string) => Promise<Found<V>>;
  /** Whether what is remembered may still be believed. */
  readonly isCurrent: () => boolean;
  /** Whether what was read with this stamp may be remembered. */
  readonly isNews: (stamp: Stamp) => boolean;
};

type Held<V> = { readonly value: V | undefined; readonly number: number };

/** Makes look-ups that remember nothing yet. */
export function createLookUps<V>(options: LookUpsOptions<V>): LookUps<V> {
  const { read, isCurrent } = options;
  const memory = createMemory<V>(options);
  const flights = new Map<string, Promise<V | undefined>>();
  const isLatest = (name: string, flight: Promise<V | undefined>): boolean => {
    const isIt = flights.get(name) === flight;
    if (isIt) flights.delete(name);
    return isIt;
  };
  const begin = (name: string): Promise<V | undefined> => {
    const flight: Promise<V | undefined> = read(name).then(
      (found) => {
        if (isLatest(name, flight) && options.isNews(found.stamp)) memory.keep(name, found);
        return found.value;
      },
      (cause) => {
        isLatest(name, flight);
        throw cause;
      },
    );
    flights.set(name, flight);
    return flight;
  };
  return {
    find(name) {
      const held = memory.get(name);
      if (held !== undefined && isCurrent()) return held.value;
      return flights.get(name) ?? begin(name);
    },
    drop(name, number) {
      if (number === undefined) flights.delete(name);
      memory.drop(name, number ?? Number.POSITIVE_INFINITY);
    },
    clear() {
      flights.clear();
      memory.clear();
    },
  };
}

/** What was found, and apart from it what was not: see `createGateCache`. */
function createMemory<V>({ max, keepsFirst }: GateCacheOptions) {
  const found = createRecentMap<Held<V>>(max);
  const absent = createRecentMap<Held<V>>(ABSENT_MAX);
  const wasMetLately = createDoor();
  const get = (name: string) => found.get(name) ?? absent.get(name);
  const remove = (name: string): void => {
    found.remove(name);
    absent.remove(name);
  };
  return {
    get,
    keep(name: string, { value, stamp }: Found<V>): void {
      const isKnown = get(name) !== undefined;
      const isMet = wasMetLately(name) || isKnown;
      remove(name);
      const held = { value, number: stamp.number };
      if (value === undefined && isMet) absent.put(name, held);
      if (value !== undefined && (keepsFirst || isMet)) found.put(name, held);
    },
    drop(name: string, number: number): void {
      const held = get(name);
      if (held !== undefined && held.number < number) remove(name);
    },
    clear(): void {
      found.clear();
      absent.clear();
    },
  };
}
