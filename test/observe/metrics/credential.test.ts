import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { credentialMetric } from '../../../src/observe/metrics/credential.ts';
import { decide, policy, type RequestSpec, rawKey, token } from '../../core/build.ts';

const GOOD = rawKey();
const EXPIRED = rawKey('pst_', 2);
const UNKNOWN = rawKey('pst_', 3);
const judged = policy({
  routes: [
    { name: 'open', path: '/open', access: 'public' },
    { name: 'keys', path: '/keys', access: ['api_key'] },
    { name: 'tokens', path: '/tokens', access: ['jwt'] },
    { name: 'scoped', path: '/scoped', access: ['api_key'], scopes: ['a:read'] },
    { name: 'all', path: '/all', access: ['api_key', 'jwt', 'anonymous'] },
  ],
  issuers: [{ name: 'id' }],
  keys: [{ raw: GOOD }, { raw: EXPIRED, expires_at: '2020-01-01T00:00:00Z' }],
});

/** What a scrape says after these requests, without the name. */
async function countsOf(asked: readonly RequestSpec[]): Promise<readonly string[]> {
  const registry = new Registry();
  const hear = credentialMetric(registry);
  for (const one of asked) hear(await decide(judged, one));
  const lines = (await registry.metrics()).split('\n');
  return lines
    .filter((line) => line.startsWith('postern_'))
    .map((line) => line.replace('postern_credentials_total', ''));
}

test.each<[string, RequestSpec, string]>([
  ['a good key', { path: '/keys', bearer: GOOD }, 'api_key,,accepted'],
  ['a good key without the scope', { path: '/scoped', bearer: GOOD }, 'api_key,,accepted'],
  ['a good token', { path: '/tokens', bearer: token('id') }, 'jwt,id,accepted'],
  ['nobody, who may be nobody', { path: '/all' }, 'anonymous,,accepted'],
  ['nothing', { path: '/keys' }, 'none,,missing_credential'],
  ['a key that nobody knows', { path: '/keys', bearer: UNKNOWN }, 'api_key,,unknown_key'],
  ['an expired key', { path: '/keys', bearer: EXPIRED }, 'api_key,,key_expired'],
  ['a token of nobody', { path: '/tokens', bearer: token('evil') }, 'jwt,,token_issuer'],
  [
    'an expired token',
    { path: '/all', bearer: token('id', { refuse: 'token_expired' }) },
    'jwt,,token_expired',
  ],
  ['a key for tokens', { path: '/tokens', bearer: GOOD }, 'api_key,,credential_not_accepted'],
  ['a token for keys', { path: '/keys', bearer: token('id') }, 'jwt,,credential_not_accepted'],
  [
    'two credentials',
    { path: '/all', bearer: GOOD, headers: { 'x-api-key': GOOD } },
    'none,,duplicate_credential',
  ],
])('%s counts once', async (_, asked, wanted) => {
  const [method, issuer, outcome] = wanted.split(',');
  expect(await countsOf([asked])).toEqual([
    `{method="${method}",issuer="${issuer}",outcome="${outcome}"} 1`,
  ]);
});

test('where no credential is read, none is counted', async () => {
  expect(await countsOf([{ path: '/open', bearer: UNKNOWN }, { path: '/nowhere' }])).toEqual([]);
});

test('the same outcome adds up', async () => {
  const asked = { path: '/keys', bearer: GOOD };
  expect(await countsOf([asked, asked, asked])).toEqual([
    '{method="api_key",issuer="",outcome="accepted"} 3',
  ]);
});
