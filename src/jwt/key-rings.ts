import type { Issuer, KeySource } from '../core/token.ts';
import { type KeyRing, type KeyRingState, openKeyRing } from './key-ring.ts';
import type { SetSource } from './load-set.ts';
import type { TokenTools } from './settings.ts';

/** The sets of all entries in use, each location held once. */
export type KeyRings = {
  /** Opens what these entries need and is not open yet, and closes what none of them names. */
  use(issuers: readonly Issuer[]): void;
  /**
   * The sets of an entry, in its order. An entry never given to `use` is served as well; one of an earlier
   * policy keeps the sets that it had, closed or not, so that a check in flight can end.
   */
  of(issuer: Issuer): readonly KeyRing[];
  /** Whether an entry belongs to what is in use. */
  isCurrent(issuer: Issuer): boolean;
  state(): readonly KeyRingState[];
  close(): Promise<void>;
};

/** Opens no set until the first entry is given. */
export function openKeyRings(tools: TokenTools): KeyRings {
  const open = new Map<string, KeyRing>();
  const bound = new WeakMap<Issuer, readonly KeyRing[]>();
  const current = new Set<Issuer>();

  const ringFor = (source: SetSource, names: readonly string[]): KeyRing => {
    const name = nameOf(source);
    const ring = open.get(name) ?? openKeyRing(source, names, tools);
    open.set(name, ring);
    return ring;
  };
  const bind = (issuer: Issuer, names: (source: SetSource) => readonly string[]) => {
    const rings = sourcesOf(issuer.keys).map((source) => ringFor(source, names(source)));
    bound.set(issuer, rings);
    current.add(issuer);
    return rings;
  };

  return {
    use: (issuers) => {
      const users = usersOf(issuers);
      current.clear();
      for (const issuer of issuers) bind(issuer, (source) => users.get(nameOf(source)) ?? []);
      for (const [name, ring] of open) {
        const names = users.get(name);
        if (names) ring.rename(names);
        else closeOne(open, name, ring);
      }
    },
    of: (issuer) => bound.get(issuer) ?? bind(issuer, () => [issuer.name]),
    isCurrent: (issuer) => current.has(issuer),
    state: () => [...open.values()].map((ring) => ring.state()),
    close: async () => {
      current.clear();
      await Promise.all([...open.values()].map((ring) => ring.close()));
    },
  };
}

function closeOne(open: Map<string, KeyRing>, name: string, ring: KeyRing): void {
  open.delete(name);
  void ring.close();
}

/** The names of the entries that use each source. */
function usersOf(issuers: readonly Issuer[]): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>();
  for (const issuer of issuers) {
    for (const source of sourcesOf(issuer.keys)) {
      const names = users.get(nameOf(source)) ?? [];
      users.set(nameOf(source), names);
      if (!names.includes(issuer.name)) names.push(issuer.name);
    }
  }
  return users;
}

function sourcesOf(keys: KeySource): readonly SetSource[] {
  if (keys.kind === 'secret') return [];
  if (keys.kind === 'discovery') return [{ kind: 'discovery', issuer: keys.issuer }];
  return [...new Set(keys.locations)].map((location) => ({ kind: 'jwks', location }));
}

function nameOf(source: SetSource): string {
  return source.kind === 'discovery' ? `discovery ${source.issuer}` : `jwks ${source.location}`;
}
