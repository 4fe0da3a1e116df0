import { describe, expect, test } from 'vitest';
import type { Issuer } from '../../src/core/token.ts';
import { openTokenVerifier } from '../../src/jwt/verifier.ts';
import { GOOD, issuerWith, NOW, NOW_MS, outcome, sign } from './tokens.ts';

type Row = readonly [string, Record<string, unknown> | string, Partial<Issuer>, string];

const PAYLOADS: readonly Row[] = [
  ['exp ahead', GOOD, {}, 'token'],
  ['exp as a fraction', { exp: NOW + 0.5 }, {}, 'token'],
  ['no exp', { sub: 'ada' }, {}, 'token_invalid'],
  ['no exp where none is required', { sub: 'ada' }, { requireExp: false }, 'token'],
  ['exp of 1e400', `{"exp":1e400}`, {}, 'token_invalid'],
  ['exp of -1e400', `{"exp":-1e400}`, { requireExp: false }, 'token_invalid'],
  ['exp as text', { exp: String(NOW + 600) }, {}, 'token_invalid'],
  ['exp of null', { exp: null }, { requireExp: false }, 'token_invalid'],
  ['exp of true', { exp: true }, {}, 'token_invalid'],
  ['exp past, within tolerance', { exp: NOW - 4.999 }, {}, 'token'],
  ['exp past by the tolerance', { exp: NOW - 5 }, {}, 'token_expired'],
  ['exp now without tolerance', { exp: NOW }, { clockToleranceSeconds: 0 }, 'token_expired'],
  ['exp of 0', { exp: 0 }, {}, 'token_expired'],
  ['exp past where none is required', { exp: 1 }, { requireExp: false }, 'token_expired'],
  ['nbf now', { ...GOOD, nbf: NOW }, {}, 'token'],
  ['nbf ahead by the tolerance', { ...GOOD, nbf: NOW + 5 }, {}, 'token'],
  ['nbf ahead beyond it', { ...GOOD, nbf: NOW + 5.001 }, {}, 'token_not_yet_valid'],
  ['nbf as text', { ...GOOD, nbf: '0' }, {}, 'token_invalid'],
  ['iat ahead by the tolerance', { ...GOOD, iat: NOW + 5 }, {}, 'token'],
  ['iat ahead beyond it', { ...GOOD, iat: NOW + 6 }, {}, 'token_not_yet_valid'],
  ['iat as text', { ...GOOD, iat: 'now' }, {}, 'token_invalid'],
  ['iat of 1e999', `{"exp":${NOW + 9},"iat":1e999}`, {}, 'token_invalid'],
  ['max_age kept', { exp: NOW + 10, iat: NOW - 50 }, { maxAgeSeconds: 60 }, 'token'],
  ['max_age passed', { exp: NOW + 11, iat: NOW - 50 }, { maxAgeSeconds: 60 }, 'token_invalid'],
  ['max_age without iat', GOOD, { maxAgeSeconds: 3600 }, 'token_invalid'],
  [
    'max_age without exp',
    { iat: NOW },
    { maxAgeSeconds: 3600, requireExp: false },
    'token_invalid',
  ],
  ['aud where any will do', { ...GOOD, aud: { any: 1 } }, {}, 'token'],
  ['the aud', { ...GOOD, aud: 'api' }, { audiences: ['web', 'api'] }, 'token'],
  ['the aud among others', { ...GOOD, aud: ['x', 'api'] }, { audiences: ['api'] }, 'token'],
  ['another aud', { ...GOOD, aud: 'API' }, { audiences: ['api'] }, 'token_audience'],
  ['other auds', { ...GOOD, aud: ['x', 'y'] }, { audiences: ['api'] }, 'token_audience'],
  ['an empty aud list', { ...GOOD, aud: [] }, { audiences: ['api'] }, 'token_audience'],
  ['no aud', GOOD, { audiences: ['api'] }, 'token_audience'],
  ['an object aud', { ...GOOD, aud: { api: 1 } }, { audiences: ['api'] }, 'token_invalid'],
  ['a number among auds', { ...GOOD, aud: ['api', 1] }, { audiences: ['api'] }, 'token_invalid'],
  ['the iss', { ...GOOD, iss: 'https://a.test' }, { issuer: 'https://a.test' }, 'token'],
  [
    'another iss',
    { ...GOOD, iss: 'https://a.test/' },
    { issuer: 'https://a.test' },
    'token_issuer',
  ],
  ['no iss', GOOD, { issuer: 'https://a.test' }, 'token_issuer'],
  ['an iss that nobody demands', { ...GOOD, iss: 'https://b.test' }, {}, 'token'],
];

test.each(PAYLOADS)('%s', async (_what, payload, change, want) => {
  await using verifier = openTokenVerifier();
  const token = await sign(payload);
  expect(outcome(await verifier.verify(token, [issuerWith(change)], NOW_MS))).toBe(want);
});

describe('typ', () => {
  test.each<[string | undefined, string | undefined, string]>([
    [undefined, undefined, 'token'],
    [undefined, 'anything', 'token'],
    ['at+jwt', 'at+jwt', 'token'],
    ['at+jwt', 'AT+JWT', 'token'],
    ['at+jwt', 'application/at+jwt', 'token'],
    ['application/at+jwt', 'Application/At+Jwt', 'token'],
    ['application/at+jwt', 'at+jwt', 'token'],
    ['at+jwt', 'JWT', 'token_invalid'],
    ['at+jwt', 'application/application/at+jwt', 'token_invalid'],
    ['at+jwt', 'x/at+jwt', 'token_invalid'],
    ['at+jwt', undefined, 'token_invalid'],
  ])('demanded %s, sent %s: %s', async (typ, sent, want) => {
    await using verifier = openTokenVerifier();
    const token = await sign(GOOD, undefined, sent === undefined ? {} : { typ: sent });
    expect(outcome(await verifier.verify(token, [issuerWith({ typ })], NOW_MS))).toBe(want);
  });
});

test('a refusal names its step and says nothing of the token', async () => {
  await using verifier = openTokenVerifier();
  const token = await sign({ ...GOOD, aud: 'zebra', sub: 'zebra' }, undefined, { kid: 'zebra' });
  const entries = [{ audiences: ['api'] }, { issuer: 'x' }, { typ: 'x' }, { maxAgeSeconds: 1 }];
  for (const change of entries) {
    const answer = await verifier.verify(token, [issuerWith(change)], NOW_MS);
    expect(answer).toMatchObject({ kind: 'deny', step: 'identify' });
    expect(JSON.stringify(answer)).not.toContain('zebra');
  }
});
