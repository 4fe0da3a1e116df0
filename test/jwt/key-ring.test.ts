import { describe, expect, test } from 'vitest';
import type { TokenEvent } from '../../src/jwt/settings.ts';
import { openTokenVerifier, type TokenVerifierOptions } from '../../src/jwt/verifier.ts';
import {
  eventually,
  GOOD,
  issuerAt,
  makeKey,
  NOW_MS,
  openKeyServer,
  outcome,
  servesKeys,
  servesStatus,
  servesText,
  sign,
  signBy,
} from './tokens.ts';

const HOUR_MS = 3_600_000;
const FOREVER = { exp: NOW_MS / 1000 + 1_000_000 };

/** A verifier whose clock stands still until it is moved. */
function openClocked(options: TokenVerifierOptions = {}) {
  const clock = { nowMs: NOW_MS };
  const events: TokenEvent[] = [];
  const verifier = openTokenVerifier({
    now: () => clock.nowMs,
    onEvent: (event) => {
      events.push(event);
    },
    ...options,
  });
  return { clock, events, ...verifier };
}

const keys = { one: await makeKey('ES256', 'k1'), two: await makeKey('ES256', 'k2') };
const tokens = {
  one: await signBy(keys.one, 'ES256', FOREVER),
  two: await signBy(keys.two, 'ES256', FOREVER),
};

test('sets are tried in order until one has the key', async () => {
  await using first = await openKeyServer(servesKeys(keys.one));
  await using second = await openKeyServer(servesKeys(keys.two));
  await using verifier = openTokenVerifier();
  const issuers = [issuerAt([first.origin, second.origin])];
  for (const token of [tokens.one, tokens.two]) {
    expect(outcome(await verifier.verify(token, issuers, NOW_MS))).toBe('token');
  }
  expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
});

test('a kid that two sets use for different keys finds either', async () => {
  const twin = await makeKey('ES256', 'k1');
  await using first = await openKeyServer(servesKeys(twin));
  await using second = await openKeyServer(servesKeys(keys.one));
  await using verifier = openTokenVerifier();
  const issuers = [issuerAt([first.origin, second.origin])];
  expect(outcome(await verifier.verify(tokens.one, issuers, NOW_MS))).toBe('token');
});

test('a key verifies no token of another kid', async () => {
  await using server = await openKeyServer(servesKeys(keys.one, keys.two));
  await using verifier = openTokenVerifier();
  const token = await sign(GOOD, keys.one.pair.privateKey, { alg: 'ES256', kid: 'k2' });
  const answer = await verifier.verify(token, [issuerAt([server.origin])], NOW_MS);
  expect(outcome(answer)).toBe('token_invalid');
  expect(server.asked.length).toBe(1);
});

test('a token without kid is tried with every fitting key of each set', async () => {
  const [rsa, ec, ed, late] = await Promise.all([
    makeKey('RS256', 'rsa'),
    makeKey('ES256', 'ec'),
    makeKey('EdDSA', 'ed'),
    makeKey('ES256'),
  ]);
  await using first = await openKeyServer(servesKeys(keys.one, rsa, ec, ed));
  await using second = await openKeyServer(servesKeys(keys.two, late));
  await using verifier = openTokenVerifier();
  const issuers = [issuerAt([first.origin, second.origin])];
  const algs = [
    [rsa, 'RS256'],
    [ec, 'ES256'],
    [ed, 'EdDSA'],
    [late, 'ES256'],
  ] as const;
  for (const [key, alg] of algs) {
    const token = await sign(GOOD, key.pair.privateKey, { alg });
    expect(outcome(await verifier.verify(token, issuers, NOW_MS))).toBe('token');
  }
  const stranger = await sign(GOOD, (await makeKey('ES256')).pair.privateKey, { alg: 'ES256' });
  expect(outcome(await verifier.verify(stranger, issuers, NOW_MS))).toBe('token_invalid');
  expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
});

describe('an unknown kid', () => {
  test('sent 1,000 times at once, loads the set once, and not again for 10 seconds', async () => {
    await using server = await openKeyServer(servesKeys(keys.one));
    await using ring = openClocked();
    const issuers = [issuerAt([server.origin])];
    await ring.verify(tokens.one, issuers, NOW_MS);
    const stranger = await makeKey('ES256');
    const bogus = await Promise.all(
      Array.from({ length: 1_000 }, (_, at) =>
        sign(GOOD, stranger.pair.privateKey, { alg: 'ES256', kid: `bogus-${at}` }),
      ),
    );
    const verifyAll = async () => {
      const answers = await Promise.all(bogus.map((one) => ring.verify(one, issuers, NOW_MS)));
      return [...new Set(answers.map(outcome))];
    };
    expect(await verifyAll()).toEqual(['token_invalid']);
    expect(server.asked.length).toBe(2);
    ring.clock.nowMs += 9_999;
    expect(await verifyAll()).toEqual(['token_invalid']);
    expect(server.asked.length).toBe(2);
    ring.clock.nowMs += 1;
    expect(await verifyAll()).toEqual(['token_invalid']);
    expect(server.asked.length).toBe(3);
  });

  test('before any set is loaded causes one load in all', async () => {
    await using server = await openKeyServer(servesKeys(keys.one));
    await using ring = openClocked();
    const issuers = [issuerAt([server.origin])];
    const answers = Array.from({ length: 100 }, () => ring.verify(tokens.two, issuers, NOW_MS));
    for (const answer of answers) expect(outcome(await answer)).toBe('token_invalid');
    expect(server.asked.length).toBe(1);
  });

  test('of a key that was rotated in is found by the load it causes', async () => {
    await using server = await openKeyServer(servesKeys(keys.one));
    await using ring = openClocked();
    const issuers = [issuerAt([server.origin])];
    await ring.verify(tokens.one, issuers, NOW_MS);
    server.answer = servesKeys(keys.one, keys.two);
    expect(outcome(await ring.verify(tokens.two, issuers, NOW_MS))).toBe('token');
    expect(outcome(await ring.verify(tokens.one, issuers, NOW_MS))).toBe('token');
    expect(server.asked.length).toBe(2);
  });

  test('is refused when the load it causes fails, and the set stays', async () => {
    await using server = await openKeyServer(servesKeys(keys.one));
    await using ring = openClocked();
    const issuers = [issuerAt([server.origin])];
    await ring.verify(tokens.one, issuers, NOW_MS);
    server.answer = servesStatus(500);
    for (let round = 0; round < 3; round += 1) {
      expect(outcome(await ring.verify(tokens.two, issuers, NOW_MS))).toBe('token_invalid');
    }
    expect(outcome(await ring.verify(tokens.one, issuers, NOW_MS))).toBe('token');
    expect(server.asked.length).toBe(2);
    expect(ring.state()).toMatchObject([{ status: 'stale', keys: 1 }]);
  });

  test('loads nothing while the back-off of failed loads lasts', async () => {
    await using server = await openKeyServer(servesKeys(keys.one));
    await using ring = openClocked({ backoffMinMs: 60_000 });
    const issuers = [issuerAt([server.origin])];
    await ring.verify(tokens.one, issuers, NOW_MS);
    server.answer = servesStatus(500);
    for (const [waitMs, asked] of [
      [0, 2],
      [15_000, 2],
      [15_000, 2],
      [30_000, 3],
    ] as const) {
      ring.clock.nowMs += waitMs;
      expect(outcome(await ring.verify(tokens.two, issuers, NOW_MS))).toBe('token_invalid');
      expect(server.asked.length).toBe(asked);
    }
  });

  test('that another entry knows loads nothing', async () => {
    await using first = await openKeyServer(servesKeys(keys.one));
    await using second = await openKeyServer(servesKeys(keys.two));
    await using ring = openClocked();
    const issuers = [issuerAt([first.origin]), issuerAt([second.origin])];
    expect(outcome(await ring.verify(tokens.two, issuers, NOW_MS))).toBe('token');
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
  });
});

test('a key that leaves its set takes its verified tokens with it', async () => {
  await using server = await openKeyServer(servesKeys(keys.one));
  await using ring = openClocked();
  const issuers = [issuerAt([server.origin])];
  await ring.verify(tokens.one, issuers, NOW_MS);
  expect(ring.verify(tokens.one, issuers, NOW_MS)).toMatchObject({ kind: 'token' });
  server.answer = servesKeys(keys.two);
  expect(outcome(await ring.verify(tokens.two, issuers, NOW_MS))).toBe('token');
  expect(outcome(await ring.verify(tokens.one, issuers, NOW_MS))).toBe('token_invalid');
});

describe('a set grows old', () => {
  test.each<[string, Record<string, string>, number, number]>([
    ['without Cache-Control after 10 minutes', {}, 449_000, 511_000],
    ['by its max-age', { 'cache-control': 'public, max-age=1000' }, 749_000, 851_000],
    ['no sooner than by one minute', { 'cache-control': 'max-age=0' }, 44_000, 52_000],
    ['no later than by one hour', { 'cache-control': 'max-age=999999' }, 2_690_000, 3_070_000],
  ])('%s, and is loaded ahead while nobody waits', async (_what, headers, early, due) => {
    const body = JSON.stringify({ keys: [keys.one.jwk] });
    await using server = await openKeyServer(servesText(body, headers));
    await using ring = openClocked();
    const issuers = [issuerAt([server.origin])];
    await ring.verify(tokens.one, issuers, NOW_MS);
    const fresh = () => signBy(keys.one, 'ES256', { ...FOREVER, jti: ring.clock.nowMs });
    ring.clock.nowMs = NOW_MS + early;
    expect(outcome(await ring.verify(await fresh(), issuers, NOW_MS))).toBe('token');
    expect(ring.state()).toMatchObject([{ lastSuccessMs: NOW_MS }]);
    ring.clock.nowMs = NOW_MS + due;
    expect(outcome(await ring.verify(await fresh(), issuers, NOW_MS))).toBe('token');
    await eventually(() => expect(server.asked.length).toBe(2));
  });

  test('and is loaded again without any request', async () => {
    await using server = await openKeyServer(servesKeys(keys.one));
    await using verifier = openTokenVerifier({ setAgeMs: 20, setAgeMinMs: 20 });
    verifier.use([issuerAt([server.origin])]);
    await eventually(() => expect(server.asked.length).toBeGreaterThan(4));
  });

  test('and serves for 24 hours when it cannot be loaded, its verified tokens too', async () => {
    await using server = await openKeyServer(servesKeys(keys.one));
    await using ring = openClocked();
    const issuers = [issuerAt([server.origin])];
    const fresh = () => signBy(keys.one, 'ES256', { ...FOREVER, jti: ring.clock.nowMs });
    await ring.verify(tokens.one, issuers, NOW_MS);
    server.answer = servesStatus(500);
    ring.clock.nowMs = NOW_MS + 24 * HOUR_MS - 1;
    expect(outcome(await ring.verify(await fresh(), issuers, NOW_MS))).toBe('token');
    await eventually(() => expect(ring.state()).toMatchObject([{ status: 'stale', keys: 1 }]));
    expect(ring.verify(tokens.one, issuers, NOW_MS)).toMatchObject({ kind: 'token' });
    ring.clock.nowMs = NOW_MS + 24 * HOUR_MS;
    await expect(ring.verify(tokens.one, issuers, NOW_MS)).rejects.toThrow('no key set from');
    expect(ring.state()).toMatchObject([{ status: 'failed', keys: 0, lastSuccessMs: NOW_MS }]);
    server.answer = servesKeys(keys.one);
    ring.clock.nowMs += 2_000;
    expect(outcome(await ring.verify(tokens.one, issuers, NOW_MS))).toBe('token');
    expect(ring.state()).toMatchObject([{ status: 'fresh', lastSuccessMs: ring.clock.nowMs }]);
  });
});
