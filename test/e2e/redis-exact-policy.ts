import type { CheckQuestion } from './check-client.ts';
import { mint } from './policy.ts';
import { admittedBy, fromMost, type Verdict } from './redis-storm.ts';

/** Limits of a workspace, of each of its keys and of each address: none admits what all others would. */
export type Many = { readonly workspace: number; readonly key: number; readonly address: number };

/** A key that nothing is said of, and those of one workspace. */
const LONE = mint();
const KEYS = Array.from({ length: 4 }, () => mint());
const ADDRESSES = Array.from({ length: 8 }, (_, at) => `198.51.100.${at}`);

/** What a storm asks about: a month outlasts any test, and a bucket refilled by the month stands still in one. */
export function exactPolicy(one: number, burst: number, many: Many): object {
  return {
    audit: 'none',
    // What this machine is too slow for is refused, and asked again: it is in no count.
    on_store_failure: { limits: 'deny' },
    workspaces: { acme: {} },
    plans: {
      one: { by: 'ip', per_month: one },
      bucket: { by: 'ip', per_month: 10_000, burst },
      shared: { by: 'workspace', per_month: many.workspace },
    },
    api_keys: {
      declared: [
        { id: 'lone', hash: LONE.hash },
        ...KEYS.map(({ hash }, at) => ({
          id: `key-${at}`,
          hash,
          workspace: 'acme',
          plan: 'shared',
          rate_limit: { per_month: many.key },
        })),
      ],
    },
    defaults: { access: ['api_key'] },
    routes: [
      { name: 'one', path: '/one', plan: 'one' },
      { name: 'bucket', path: '/bucket', plan: 'bucket' },
      {
        name: 'many',
        path: '/many',
        limits: [{ name: 'address', by: 'ip', per_month: many.address }],
      },
    ],
  };
}

/** The same question so many times, from an address. */
export function asked(path: string, source: string, times: number): readonly CheckQuestion[] {
  return Array(times).fill({ path, source, headers: [['x-api-key', LONE.raw]] });
}

/** Questions with every key from every address, in turn. */
export function askedByMany(times: number): readonly CheckQuestion[] {
  return Array.from({ length: times }, (_, at) => ({
    path: '/many',
    source: ADDRESSES[at % ADDRESSES.length] ?? '',
    headers: [['x-api-key', KEYS[Math.floor(at / ADDRESSES.length) % KEYS.length]?.raw ?? '']],
  }));
}

/** How many questions of the many are all that can be asked. */
export const PAIRS = KEYS.length * ADDRESSES.length;

/** The keys of the workspace. */
export const RAW_KEYS: readonly string[] = KEYS.map(({ raw }) => raw);

/** The key that a question is asked with. */
export function keyOf({ headers = [] }: CheckQuestion): string {
  return headers[0]?.[1] ?? '';
}

/** The address that a question comes from. */
export function addressOf({ source = '' }: CheckQuestion): string {
  return source;
}

/** What one counter holds then. */
export function countOfAll(admitted: readonly Verdict[]): readonly number[] {
  return fromMost([admitted.length]);
}

/** What the counters of the workspace, its keys and the addresses hold then. */
export function countsOfMany(admitted: readonly Verdict[]): readonly number[] {
  return fromMost([
    admitted.length,
    ...admittedBy(admitted, keyOf),
    ...admittedBy(admitted, addressOf),
  ]);
}
