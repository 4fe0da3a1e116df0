import { parseTimestamp } from '../core/key-record.ts';
import { hasRate } from './check-plans.ts';
import { suggest } from './nearest.ts';
import type { Path } from './problem.ts';
import { type Review, writeSource } from './review.ts';
import type { KeyConfig } from './schema.ts';

const SOON_MS = 30 * 86_400_000;

/** Reports declared keys that repeat an id or hash, name a foreign environment or have ended. */
export function checkKeys(review: Review): void {
  const { prefixes, declared } = review.config.api_keys;
  const environments = new Set(Object.values(prefixes).flatMap((one) => one.environment ?? []));
  const ids = new Map<string, number>();
  const hashes = new Map<string, number>();
  for (const [index, key] of declared.entries()) {
    const path: Path = ['api_keys', 'declared', index];
    checkUnique(review, ids, key.id, { index, path: [...path, 'id'], noun: 'id' });
    for (const { hash, at } of writtenHashes(key, [...path, 'hash'])) {
      checkUnique(review, hashes, hash, { index, path: at, noun: 'hash' });
    }
    checkEnvironment(review, key, path, environments);
    if (key.rate_limit) hasRate(review, key.rate_limit, [...path, 'rate_limit']);
    warnOfEnd(review, key, path);
    warnOfPublishable(review, key, path);
  }
}

function writtenHashes(
  key: KeyConfig,
  path: Path,
): readonly { readonly hash: string; readonly at: Path }[] {
  if (typeof key.hash === 'string') return [{ hash: key.hash, at: path }];
  return key.hash.map(({ hash }, place) => ({ hash, at: [...path, place, 'hash'] }));
}

function checkUnique(
  review: Review,
  first: Map<string, number>,
  value: string,
  place: { readonly index: number; readonly path: Path; readonly noun: string },
): void {
  const earlier = first.get(value);
  if (earlier === undefined) first.set(value, place.index);
  else {
    const other = writeSource(review, ['api_keys', 'declared', earlier]);
    review.problem(place.path, `this ${place.noun} is also that of ${other}`);
  }
}

function checkEnvironment(
  review: Review,
  key: KeyConfig,
  path: Path,
  environments: ReadonlySet<string>,
): void {
  const { environment } = key;
  if (environment === undefined || environments.has(environment)) return;
  const hint = suggest(environment, environments);
  const message = `no prefix has the environment ${JSON.stringify(environment)}${hint}`;
  review.problem([...path, 'environment'], message);
}

function warnOfEnd(review: Review, key: KeyConfig, path: Path): void {
  const endMs = key.expires_at === undefined ? undefined : parseTimestamp(key.expires_at);
  if (endMs === undefined || endMs - review.nowMs > SOON_MS) return;
  const isOver = endMs <= review.nowMs;
  review.warn(
    [...path, 'expires_at'],
    isOver ? 'the key has expired' : 'the key expires within 30 days',
  );
}

/** The prefix of a declared key cannot be read from its hash: it is publishable when every one it may have is. */
function warnOfPublishable(review: Review, key: KeyConfig, path: Path): void {
  if (key.allowed_origins !== undefined) return;
  const candidates = Object.values(review.config.api_keys.prefixes).filter(
    (prefix) => key.environment === undefined || prefix.environment === key.environment,
  );
  if (candidates.length === 0 || !candidates.every((prefix) => prefix.publishable)) return;
  review.warn(path, 'a publishable key without allowed_origins works on every page');
}
