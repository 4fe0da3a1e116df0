import { type Address, addressSubject } from '../../core/address.ts';
import type { Alert } from '../../core/alert.ts';
import type { Answered } from '../../core/answered.ts';
import type { RecordStore } from '../../core/record-store.ts';
import { circumstancesOf } from './alerts-of.ts';
import type { Place } from './place.ts';
import {
  mergeHistories,
  NO_HISTORY,
  type PlaceHistory,
  type PlaceKind,
  readHistory,
  writeHistory,
} from './place-history.ts';
import { createRecent } from './recent.ts';

/** Learns where keys are used from, and tells of what is new. */
export type PlaceWatch = {
  /** Looks at an answered check; what is new is learned later. */
  readonly note: (answered: Answered) => void;
  /** Forgets which places were looked up: the databases are others now. */
  readonly refresh: () => void;
  /** Resolves when all that was noted is learned. */
  readonly settled: () => Promise<void>;
};

export type PlaceWatchOptions = {
  readonly find: (address: string) => Place;
  readonly by: readonly PlaceKind[];
  /** Where histories are kept, so that a restart and other Posterns know them. */
  readonly store: Pick<RecordStore, 'getSetting' | 'putSetting'>;
  readonly raise: (alert: Alert) => void;
  /** The store failed; the key's next use tries again. */
  readonly onFailure: (cause: unknown) => void;
};

const HISTORIES_MAX = 10_000;
/** Keys and networks of late, which cost one look into a map. */
const SEEN_MAX = 50_000;
/** Uses that wait to be learned; what comes beyond them is learned at the key's next use. */
const WAITING_MAX = 1000;

type Use = {
  readonly keyId: string;
  readonly seenAs: string;
  readonly address: string;
  readonly circumstances: ReturnType<typeof circumstancesOf>;
};

type State = PlaceWatchOptions & {
  readonly seen: ReturnType<typeof createRecent<true>>;
  readonly histories: ReturnType<typeof createRecent<PlaceHistory>>;
};

/** Makes the watch. Histories of keys that are gone stay in the store: they are small, and ids do not come again. */
export function createPlaceWatch(options: PlaceWatchOptions): PlaceWatch {
  const seen = createRecent<true>(SEEN_MAX);
  const state: State = { ...options, seen, histories: createRecent<PlaceHistory>(HISTORIES_MAX) };
  let waiting = 0;
  let running = Promise.resolve();
  return {
    note: (answered) => {
      const { decision, request } = answered;
      const key = decision.kind === 'allow' ? decision.principal.key : undefined;
      if (!key || !request.address) return;
      const seenAs = `${key.id}\n${neighbourhood(request.address)}`;
      if (seen.get(seenAs) || waiting >= WAITING_MAX) return;
      seen.put(seenAs, true);
      waiting += 1;
      const address = request.address.text;
      const use = { keyId: key.id, seenAs, address, circumstances: circumstancesOf(answered) };
      running = running
        .then(() => learn(state, use))
        .finally(() => {
          waiting -= 1;
        });
    },
    refresh: seen.clear,
    settled: () => running,
  };
}

/** Learns where a use came from, and raises what is new about it. Never rejects. */
async function learn(state: State, use: Use): Promise<void> {
  const { histories, find, seen, onFailure } = state;
  try {
    const place = find(use.address);
    const held = histories.get(use.keyId) ?? NO_HISTORY;
    if (newKinds(state, held, place).length > 0) await learnNew(state, { use, place, held });
  } catch (cause) {
    seen.remove(use.seenAs);
    onFailure(cause);
  }
}

/** Learns a place that memory lacks. The store is read first, because another Postern may have learned the same. */
async function learnNew(
  state: State,
  { use, place, held }: { readonly use: Use; readonly place: Place; readonly held: PlaceHistory },
): Promise<void> {
  const { histories, store } = state;
  const name = `places:${use.keyId}`;
  const known = mergeHistories(readHistory(await store.getSetting(name)), held);
  const kinds = newKinds(state, known, place);
  const next = mergeHistories(known, placesOf(kinds, place));
  if (kinds.length > 0) {
    tell(state, { use, place, known, kinds });
    await store.putSetting(name, writeHistory(next));
  }
  histories.put(use.keyId, next);
}

/** What a place has that a history lacks. */
function newKinds(
  { by }: Pick<State, 'by'>,
  known: PlaceHistory,
  place: Place,
): readonly PlaceKind[] {
  return by.filter((kind) => {
    const name = place[kind];
    return name !== undefined && !known[kind].includes(name);
  });
}

function placesOf(kinds: readonly PlaceKind[], place: Place): PlaceHistory {
  const of = (kind: PlaceKind) => (kinds.includes(kind) ? [place[kind] ?? ''] : []);
  return { country: of('country'), network: of('network') };
}

/** A first place is no news. A new country is told as such, and not for its network as well. */
function tell(
  { raise }: State,
  {
    use,
    place,
    known,
    kinds,
  }: {
    readonly use: Use;
    readonly place: Place;
    readonly known: PlaceHistory;
    readonly kinds: readonly PlaceKind[];
  },
): void {
  const news = kinds.filter((kind) => known[kind].length > 0);
  const kind = news.includes('country') ? 'country' : news[0];
  if (kind === undefined) return;
  const { keyId, circumstances } = use;
  const facts = { ...circumstances.facts, ...factsOf(place), known: known[kind].join(' ') };
  const name = kind === 'country' ? 'new_country' : 'new_network';
  raise({ ...circumstances, name, subject: `${keyId}\n${place[kind]}`, keyId, facts });
}

function factsOf({ country, network, networkName }: Place): Record<string, string> {
  return {
    ...(country !== undefined && { country }),
    ...(network !== undefined && { network }),
    ...(networkName !== undefined && { network_name: networkName }),
  };
}

/** The /24 or /64 of an address: whoever changes within it is not looked up again. */
function neighbourhood(address: Address): string {
  const { family, text } = address;
  return family === 4 ? text.slice(0, text.lastIndexOf('.')) : addressSubject(address);
}
