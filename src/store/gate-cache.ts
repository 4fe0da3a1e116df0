import { randomInt } from 'node:crypto';
import { createRecentMap, hashOf } from './recent-map.ts';

/** What was found by name, and what was not, until it changes. */
export type GateCache<V> = {
  /** The value of a name, read where it is not at hand. */
  readonly find: (name: string, read: () => V | undefined) => V | undefined;
  readonly drop: (name: string) => void;
  readonly clear: () => void;
};

export type GateCacheOptions = {
  readonly max: number;
  /** Whether a value is kept from its first use on, so that it is the same object until it changes. */
  readonly keepsFirst: boolean;
};

/** Names without a value; apart, so that whoever guesses names pushes no value out. */
export const ABSENT_MAX = 4096;
const DOOR_SLOTS = 65_536;

/** Makes an empty cache. */
export function createGateCache<V>({ max, keepsFirst }: GateCacheOptions): GateCache<V> {
  const found = createRecentMap<V>(max);
  const absent = createRecentMap<true>(ABSENT_MAX);
  const wasMetLately = createDoor();
  return {
    find(name, read) {
      const cached = found.get(name);
      if (cached !== undefined || absent.get(name)) return cached;
      const value = read();
      const isMet = wasMetLately(name);
      if (value === undefined && isMet) absent.put(name, true);
      if (value !== undefined && (keepsFirst || isMet)) found.put(name, value);
      return value;
    },
    drop(name) {
      found.remove(name);
      absent.remove(name);
    },
    clear() {
      found.clear();
      absent.clear();
    },
  };
}

/**
 * Tells whether a name was asked for not long before. What is asked for once is not cached: where a million keys
 * come in turn, each would grow old in the heap for nothing.
 */
export function createDoor(): (name: string) => boolean {
  const met = new Uint32Array(DOOR_SLOTS);
  const [forSlot, forMark] = [randomInt(2 ** 31), randomInt(2 ** 31)];
  return (name) => {
    const slot = hashOf(name, forSlot) % DOOR_SLOTS;
    const mark = hashOf(name, forMark);
    const wasMet = met[slot] === mark;
    met[slot] = mark;
    return wasMet;
  };
}
