import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { createKeyspace } from '../../src/store/redis/keyspace.ts';
import { createCounterKeys } from '../../src/store/redis/limits/limit-trips.ts';
import type { FailureMode } from '../../src/store/redis/options.ts';
import { policyText } from './policy.ts';

const SECRET = randomBytes(32).toString('base64url');
const ISSUER = 'https://id.example.com';
const PRODUCT = 'faults';
const TOKEN_LIFE = '1h';

/** What the one hot subject of a run may do in a month, which no run outlives. */
export const HOT_LIMIT = 100;
/** What an address may do, of which each request of a run has one of its own: far away. */
export const FAR_LIMIT = 1000;

/** Questions of a load; see `ROUTES`. */
export type Kind = 'public' | 'hot' | 'spread' | 'pair' | 'stored' | 'unknown';

const far = { per_month: FAR_LIMIT };
const wide = { per_month: 1_000_000_000 };

/** One route for each kind of question; `hot` has two counters of one subject, `pair` one of each of two subjects. */
const ROUTES: readonly {
  readonly name: Kind;
  readonly access: unknown;
  readonly limits?: readonly object[];
}[] = [
  { name: 'public', access: 'public' },
  {
    name: 'hot',
    access: ['jwt'],
    limits: [
      { name: 'hot', by: 'username', per_month: HOT_LIMIT },
      { name: 'wide', by: 'username', ...wide },
    ],
  },
  { name: 'spread', access: ['anonymous'], limits: [{ name: 'far', by: 'ip', ...far }] },
  {
    name: 'pair',
    access: ['jwt'],
    limits: [
      { name: 'far', by: 'ip', ...far },
      { name: 'wide', by: 'username', ...wide },
    ],
  },
  { name: 'stored', access: ['api_key'] },
  { name: 'unknown', access: ['api_key'] },
];

export type PolicyChoice = {
  readonly store: object;
  readonly mode: FailureMode;
  readonly maxStaleMs: number;
  readonly limits?: object | undefined;
};

/** The policy of one Postern in these tests. */
export function faultPolicy({ store, mode, maxStaleMs, limits = {} }: PolicyChoice): string {
  return policyText({
    product: PRODUCT,
    store,
    limits,
    on_store_failure: { limits: mode },
    key_cache: { max_stale: `${maxStaleMs}ms` },
    audit: 'none',
    issuers: [{ name: 'id', issuer: ISSUER, audience: 'api', secret: SECRET }],
    routes: ROUTES.map((route) => ({ ...route, path: pathOf(route.name) })),
  });
}

/** The path of a kind of question. */
export function pathOf(kind: Kind): string {
  return `/${kind}`;
}

/** A token of a user. */
export function tokenOf(user: string): Promise<string> {
  return new SignJWT({ sub: user })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(ISSUER)
    .setAudience('api')
    .setExpirationTime(TOKEN_LIFE)
    .sign(new TextEncoder().encode(SECRET));
}

/** The name in Redis of a counter of this policy: what a limit of a route has of an address or a user. */
export function createCounterNames(namespace: string) {
  const keyOf = createCounterKeys(createKeyspace(namespace));
  const named = (route: Kind, limit: string, subject: string): string => {
    const counter = `${PRODUCT}\nroute:${route}\n${limit}\n${subject}`;
    return keyOf({ counter, subject });
  };
  return {
    ofAddress: (route: Kind, address: string) => named(route, 'far', `ip\n\n${address}`),
    ofUser: (route: Kind, limit: string, user: string) =>
      named(route, limit, `username\n\njwt:id\n\n${user}`),
  };
}
