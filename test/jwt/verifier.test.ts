import { describe, expect, test } from 'vitest';
import type { Issuer } from '../../src/core/token.ts';
import type { TokenEvent } from '../../src/jwt/settings.ts';
import { openTokenVerifier } from '../../src/jwt/verifier.ts';
import { GOOD, issuerWith, NOW, NOW_MS, outcome, SECRET, sign } from './tokens.ts';

const OTHER_SECRET = new TextEncoder().encode('another secret of at least 32 bytes!');
const A = 'https://a.test';
const B = 'https://b.test';

function withSecret(secret: Uint8Array, change: Partial<Issuer> = {}): Issuer {
  return issuerWith({ keys: { kind: 'secret', secrets: [secret] }, ...change });
}

describe('the entries that may judge a token', () => {
  const named = withSecret(SECRET, { name: 'a', issuer: A });
  const open = withSecret(SECRET, { name: 'open' });
  const other = withSecret(OTHER_SECRET, { name: 'other' });

  test.each<[string, string | undefined, readonly Issuer[], string]>([
    ['the one that names its iss', A, [open, named], 'a'],
    ['the one that names no issuer, for an iss that nobody claims', B, [named, open], 'open'],
    ['the one that names no issuer, for no iss', undefined, [named, open], 'open'],
    ['none, when all name another issuer', B, [named], 'token_issuer'],
    ['none, when all name an issuer and the token does not', undefined, [named], 'token_issuer'],
    ['none at all', undefined, [], 'token_issuer'],
    ['the first that verifies it', undefined, [other, open], 'open'],
  ])('%s', async (_what, iss, issuers, want) => {
    await using verifier = openTokenVerifier();
    const token = await sign({ ...GOOD, iss });
    const answer = await verifier.verify(token, issuers, NOW_MS);
    expect(answer.kind === 'token' ? answer.issuer.name : answer.reason).toBe(want);
  });

  test('a claimed iss is never judged by an entry that names no issuer', async () => {
    await using verifier = openTokenVerifier();
    const claims = withSecret(OTHER_SECRET, { issuer: A });
    const token = await sign({ ...GOOD, iss: A });
    const judge = (issuers: readonly Issuer[]) => verifier.verify(token, issuers, NOW_MS);
    expect(outcome(await judge([open]))).toBe('token');
    expect(outcome(await judge([open, claims]))).toBe('token_invalid');
    expect(outcome(await judge([claims, open]))).toBe('token_invalid');
  });

  test('an alg or typ that only one entry accepts leaves that one', async () => {
    await using verifier = openTokenVerifier();
    const strict = withSecret(SECRET, { name: 'strict', typ: 'at+jwt' });
    const long = withSecret(SECRET, { name: 'long', algorithms: new Set(['HS512']) });
    const nameOf = async (header: Record<string, unknown>) => {
      const token = await sign(GOOD, SECRET, header);
      const answer = await verifier.verify(token, [strict, long], NOW_MS);
      return answer.kind === 'token' ? answer.issuer.name : answer.reason;
    };
    expect(await nameOf({ typ: 'at+jwt' })).toBe('strict');
    expect(await nameOf({ alg: 'HS512' })).toBe('long');
    expect(await nameOf({})).toBe('token_invalid');
    expect(await nameOf({ alg: 'HS384' })).toBe('token_invalid');
  });

  test('secrets are tried in order, for rotation', async () => {
    await using verifier = openTokenVerifier();
    const entry = issuerWith({ keys: { kind: 'secret', secrets: [OTHER_SECRET, SECRET] } });
    for (const secret of [SECRET, OTHER_SECRET]) {
      const token = await sign(GOOD, secret);
      expect(outcome(await verifier.verify(token, [entry], NOW_MS))).toBe('token');
    }
  });

  test('claims that one entry refuses may please the next; else the first refusal is the answer', async () => {
    await using verifier = openTokenVerifier();
    const web = withSecret(SECRET, { name: 'web', audiences: ['web'] });
    const api = withSecret(SECRET, { name: 'api', audiences: ['api'] });
    const short = withSecret(SECRET, { maxAgeSeconds: 1 });
    const token = await sign({ ...GOOD, aud: 'api' });
    const answer = await verifier.verify(token, [web, api], NOW_MS);
    expect(answer.kind === 'token' && answer.issuer).toBe(api);
    expect(outcome(await verifier.verify(token, [web, short], NOW_MS))).toBe('token_audience');
    expect(outcome(await verifier.verify(token, [short, web], NOW_MS))).toBe('token_invalid');
  });
});

/** Verifies again and again, telling whether the cache answered. */
function openCounted(cacheEntriesMax = 10) {
  const events: TokenEvent[] = [];
  const verifier = openTokenVerifier({
    cacheEntriesMax,
    onEvent: (event) => {
      events.push(event);
    },
  });
  const verify = async (token: string, issuers: readonly Issuer[], nowMs = NOW_MS) => {
    const before = events.length;
    const answer = verifier.verify(token, issuers, nowMs);
    const isSync = !(answer instanceof Promise);
    const settled = await answer;
    const hits = events.slice(before).filter((event) => event.kind === 'cache' && event.hit).length;
    expect(isSync && settled.kind === 'token').toBe(hits === 1);
    return `${outcome(settled)}${hits === 1 ? ', remembered' : ''}`;
  };
  return { verifier, verify, [Symbol.asyncDispose]: () => verifier[Symbol.asyncDispose]() };
}

describe('a verified token', () => {
  test('is answered at once the second time, and not beyond 5 minutes', async () => {
    await using counted = openCounted();
    const issuers = [issuerWith()];
    const token = await sign({ exp: NOW + 3600 });
    expect(await counted.verify(token, issuers)).toBe('token');
    expect(await counted.verify(token, issuers, NOW_MS + 299_999)).toBe('token, remembered');
    expect(await counted.verify(token, issuers, NOW_MS + 300_000)).toBe('token');
  });

  test('is not remembered beyond its exp', async () => {
    await using counted = openCounted();
    const issuers = [issuerWith()];
    const token = await sign({ exp: NOW + 10 });
    expect(await counted.verify(token, issuers)).toBe('token');
    expect(await counted.verify(token, issuers, NOW_MS + 9_999)).toBe('token, remembered');
    expect(await counted.verify(token, issuers, NOW_MS + 10_000)).toBe('token');
    expect(await counted.verify(token, issuers, NOW_MS + 15_000)).toBe('token_expired');
  });

  test('is judged anew by the clock of each request', async () => {
    await using counted = openCounted();
    const issuers = [issuerWith()];
    const token = await sign({ ...GOOD, nbf: NOW });
    expect(await counted.verify(token, issuers)).toBe('token');
    expect(await counted.verify(token, issuers, NOW_MS - 6_000)).toBe('token_not_yet_valid');
    expect(await counted.verify(token, issuers)).toBe('token, remembered');
  });

  test('is not remembered for an entry that another request does not offer', async () => {
    await using counted = openCounted();
    const one = issuerWith();
    const other = withSecret(OTHER_SECRET, { name: 'other' });
    const picky = issuerWith({ audiences: ['api'] });
    const token = await sign(GOOD);
    expect(await counted.verify(token, [one])).toBe('token');
    expect(await counted.verify(token, [other])).toBe('token_invalid');
    expect(await counted.verify(token, [picky])).toBe('token_audience');
    expect(await counted.verify(token, [withSecret(SECRET, { issuer: A })])).toBe('token_issuer');
    expect(await counted.verify(token, [])).toBe('token_issuer');
  });

  test('is answered by the entry that the order of the request comes to first', async () => {
    await using counted = openCounted();
    const first = issuerWith({ name: 'first' });
    const second = issuerWith({ name: 'second' });
    const never = withSecret(OTHER_SECRET);
    const token = await sign(GOOD);
    const nameOf = async (issuers: readonly Issuer[]) => {
      const answer = await counted.verifier.verify(token, issuers, NOW_MS);
      return answer.kind === 'token' && answer.issuer.name;
    };
    expect(await nameOf([first, second])).toBe('first');
    expect(await nameOf([second, first])).toBe('second');
    expect(await nameOf([first, second])).toBe('first');
    expect(await nameOf([never, second, first])).toBe('second');
    expect(await counted.verify(token, [never, second])).toBe('token, remembered');
    expect(await counted.verify(token, [second, never])).toBe('token, remembered');
    expect(await counted.verify(token, [never, first])).toBe('token');
  });

  test('is forgotten when the policy is loaded anew, even with the same words', async () => {
    await using counted = openCounted();
    const before = [issuerWith()];
    const after = [issuerWith()];
    const token = await sign(GOOD);
    counted.verifier.use(before);
    expect(await counted.verify(token, before)).toBe('token');
    expect(await counted.verify(token, before)).toBe('token, remembered');
    counted.verifier.use(after);
    expect(await counted.verify(token, after)).toBe('token');
    expect(await counted.verify(token, after)).toBe('token, remembered');
    counted.verifier.use([]);
    expect(await counted.verify(token, after)).toBe('token');
    expect(await counted.verify(token, after)).toBe('token');
  });

  test('makes room for another when memory is full, the longest unused first', async () => {
    await using counted = openCounted(2);
    const issuers = [issuerWith()];
    const [one = '', two = '', three = ''] = await Promise.all(
      ['one', 'two', 'three'].map((sub) => sign({ ...GOOD, sub })),
    );
    for (const token of [one, two, one, three]) await counted.verify(token, issuers);
    expect(await counted.verify(one, issuers)).toBe('token, remembered');
    expect(await counted.verify(three, issuers)).toBe('token, remembered');
    expect(await counted.verify(two, issuers)).toBe('token');
  });

  test('gives its own claims, never those of another', async () => {
    await using verifier = openTokenVerifier();
    const issuers = [issuerWith()];
    const tokens = await Promise.all(
      Array.from({ length: 50 }, (_, at) => sign({ ...GOOD, sub: `user-${at}` })),
    );
    for (let round = 0; round < 2; round += 1) {
      const answers = await Promise.all(tokens.map((one) => verifier.verify(one, issuers, NOW_MS)));
      expect(answers.map((one) => one.kind === 'token' && one.claims['sub'])).toEqual(
        tokens.map((_, at) => `user-${at}`),
      );
    }
  });
});

test('a refused token is not remembered', async () => {
  await using counted = openCounted();
  const issuers = [issuerWith()];
  const forged = await sign(GOOD, OTHER_SECRET);
  const expired = await sign({ exp: 1 });
  for (let round = 0; round < 2; round += 1) {
    expect(await counted.verify(forged, issuers)).toBe('token_invalid');
    expect(await counted.verify(expired, issuers)).toBe('token_expired');
  }
});
