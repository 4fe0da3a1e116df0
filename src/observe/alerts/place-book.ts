import { readFile } from 'node:fs/promises';
import type { Reader } from 'maxmind';
import { type Place, readPlace } from './place.ts';

/** Databases of places, held in memory. */
export type PlaceBook = {
  /** Where an address is, empty where no database knows it. */
  readonly find: (address: string) => Place;
  /**
   * Reads the files again; the databases before stay where one of them cannot be read. Rejects with an Error that
   * names it.
   */
  readonly reload: () => Promise<void>;
};

type Database = Pick<Reader<never>, 'get'>;

/** Opens MMDB files. Rejects with an Error that names the one that is missing or broken. */
export async function openPlaceBook(files: readonly string[]): Promise<PlaceBook> {
  let databases = await readAll(files);
  return {
    find: (address) => {
      const [first = {}, ...others] = databases.map((one) => readPlace(one.get(address)));
      return others.reduce(mergePlaces, first);
    },
    reload: async () => {
      databases = await readAll(files);
    },
  };
}

function readAll(files: readonly string[]): Promise<readonly Database[]> {
  return Promise.all(files.map(readDatabase));
}

async function readDatabase(file: string): Promise<Database> {
  // Only who looks up places needs it.
  const { Reader } = await import('maxmind');
  try {
    const database = new Reader<never>(await readFile(file));
    // A file that was cut off shows where it is read.
    for (const address of PROBES) database.get(address);
    return database;
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? cause.code : 'it is no MMDB file';
    throw new Error(`${file}: the database of places cannot be read: ${why}`, { cause });
  }
}

/** Addresses at both ends of the tree. */
const PROBES = ['0.0.0.0', '255.255.255.255', '8.8.8.8', '192.0.2.1'];

function mergePlaces(one: Place, other: Place): Place {
  return {
    country: one.country ?? other.country,
    network: one.network ?? other.network,
    networkName: one.networkName ?? other.networkName,
  };
}
