import { describe, expect, test } from 'vitest';
import { auditLine, decisionFacts, isAudited } from '../../src/core/audit.ts';
import { IDENTITY_FIELDS, type Policy } from '../../src/core/policy.ts';
import {
  decide,
  NOW,
  type PolicySpec,
  policy,
  type RequestSpec,
  rawKey,
  request,
  token,
} from './build.ts';

const RAW = rawKey();
const SPEC: PolicySpec = {
  prefixes: { pst_: { environment: 'live' }, pst_test_: {} },
  keys: [{ raw: RAW, id: 'k1', username: 'ada', owner: 'u1', workspace: 'w', plan: 'pro' }],
  issuers: [{ name: 'id', claims: { workspace: { path: ['org'] } } }],
  plans: { pro: { per_minute: 9 } },
  routes: [
    { name: 'keys', path: '/keys/**', access: ['api_key', 'jwt'] },
    { name: 'quiet', path: '/quiet', access: 'public', audit: 'none' },
    {
      name: 'half',
      path: '/half',
      audit: 'refusals',
      access: ['api_key'],
      cors: { origins: ['a.com'] },
    },
  ],
};

async function lineOf(spec: PolicySpec, asked: RequestSpec) {
  const judged = policy(spec);
  const decision = await decide(judged, asked);
  const facts = decisionFacts(judged, decision);
  const context = {
    id: 'e1',
    timeMs: NOW,
    tookMs: 0.4567,
    mask: (value: string) => `masked(${value.length})`,
  };
  return { facts, line: auditLine(judged, request(asked), facts, context) };
}

describe('the facts of a decision', () => {
  test('of an allowed key', async () => {
    const { facts } = await lineOf(SPEC, { path: '/keys', bearer: RAW });
    expect(facts).toEqual({
      decision: 'allow',
      route: 'keys',
      method: 'api_key',
      username: 'ada',
      subject: 'u1',
      workspace: 'w',
      key_id: 'k1',
      plan: 'pro',
      environment: 'live',
      policy: 'abc123',
    });
  });

  test('of an allowed token', async () => {
    const { facts } = await lineOf(SPEC, {
      path: '/keys',
      bearer: token('id', { client_id: 'web', org: 'w' }),
    });
    expect(facts).toMatchObject({
      decision: 'allow',
      method: 'jwt',
      username: 'ada',
      client: 'web',
      issuer: 'id',
      workspace: 'w',
    });
    expect(facts).not.toHaveProperty('key_id');
  });

  test.each<[string, RequestSpec, Record<string, string>]>([
    [
      'an unknown route',
      { path: '/x' },
      { decision: 'deny', reason: 'no_route', policy: 'abc123' },
    ],
    [
      'no credential',
      { path: '/keys' },
      { decision: 'deny', reason: 'missing_credential', route: 'keys', policy: 'abc123' },
    ],
    [
      'a public route',
      { path: '/quiet' },
      { decision: 'allow', route: 'quiet', method: 'anonymous', policy: 'abc123' },
    ],
    [
      'a preflight',
      {
        path: '/half',
        method: 'OPTIONS',
        headers: { origin: 'https://a.com', 'access-control-request-method': 'GET' },
      },
      { decision: 'reply', route: 'half', policy: 'abc123' },
    ],
  ])('of %s', async (_, asked, expected) => {
    expect((await lineOf(SPEC, asked)).facts).toEqual(expected);
  });

  test('are texts, of known names', async () => {
    const known = ['decision', 'reason', 'route', ...IDENTITY_FIELDS, 'policy'];
    for (const bearer of [RAW, token('id', { azp: 'x' }), 'zzz']) {
      const { facts } = await lineOf(SPEC, { path: '/keys', bearer });
      for (const [name, value] of Object.entries(facts)) {
        expect(typeof value).toBe('string');
        expect(known).toContain(name);
      }
    }
  });
});

describe('the audit line', () => {
  test('holds the facts and the request', async () => {
    const { facts, line } = await lineOf(SPEC, { path: '/keys/1?a=b', bearer: RAW });
    expect(line).toEqual({
      ...facts,
      id: 'e1',
      time: '2026-08-15T12:30:30.250Z',
      address: '203.0.113.9',
      http_method: 'GET',
      path: '/keys/1',
      host: 'api.example.com',
      request_id: 'req-1',
      took_us: 457,
    });
  });

  test('masks what the policy masks', async () => {
    const asked = { path: '/keys', bearer: RAW };
    const masked = await lineOf({ ...SPEC, mask: { username: true, address: true } }, asked);
    expect(masked.line).toMatchObject({
      username: 'masked(3)',
      address: 'masked(11)',
      key_id: 'k1',
    });
    const open = await lineOf({ ...SPEC, mask: { username: false, address: false } }, asked);
    expect(open.line).toMatchObject({ username: 'ada', address: '203.0.113.9' });
    const nobody = await lineOf(
      { ...SPEC, mask: { username: true, address: true } },
      { path: '/x', address: undefined },
    );
    expect(nobody.line).not.toHaveProperty('username');
    expect(nobody.line).not.toHaveProperty('address');
  });

  const jwt = `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"sub":"ada lovelace"}').toString('base64url')}.c2lnbmF0dXJlLXNpZ25hdHVyZQ`;
  test.each([
    ['a key as a segment', `/keys/${RAW}`, RAW],
    ['a key at the end of a segment', `/keys/x${RAW}`, RAW],
    ['two keys', `/keys/${RAW}/${RAW}`, RAW],
    ['a key with the longer prefix', `/keys/${rawKey('pst_test_')}`, rawKey('pst_test_')],
    ['a key in the query', `/keys?api_key=${RAW}`, RAW],
    ['a key on an unknown route', `/none/${RAW}`, RAW],
    ['a key in an ambiguous path', `/a//${RAW}/..`, RAW],
    ['a key in a path without a slash', RAW, RAW],
    ['a token', `/keys/${jwt}`, jwt],
    ['a key in a path that is encoded twice', `/keys/${RAW.replace('_', '%255f')}`, RAW.slice(4)],
    ['a key behind much else', `/${'a'.repeat(2020)}/${RAW}`, RAW],
  ])('shows no credential: %s', async (_, path, secret) => {
    const { line } = await lineOf(SPEC, { path });
    const text = JSON.stringify(line);
    for (let from = 0; from + 24 <= secret.length; from += 1) {
      expect(text).not.toContain(secret.slice(from, from + 24));
    }
  });

  test.each<[string, RequestSpec]>([
    ['a method', { path: '/keys', method: RAW }],
    ['a host', { path: '/keys', host: RAW.toLowerCase() }],
    ['a name in a host', { path: '/keys', host: `${RAW.toLowerCase()}.example.com` }],
  ])('shows no credential as %s', async (_, asked) => {
    const { line } = await lineOf(SPEC, asked);
    expect(JSON.stringify(line).toLowerCase()).not.toContain(RAW.slice(4, 16).toLowerCase());
  });

  test('shows no credential of any refusal', async () => {
    const asks: readonly RequestSpec[] = [
      { path: '/keys', bearer: rawKey('pst_', 8) },
      { path: '/keys', headers: { 'x-api-key': [RAW, RAW] } },
      { path: '/keys', bearer: RAW, headers: { 'x-api-key': RAW } },
    ];
    for (const asked of asks) {
      const { line } = await lineOf(SPEC, asked);
      expect(JSON.stringify(line)).not.toMatch(/pst_[0-9A-Za-z]{3,}/);
    }
  });
});

describe('what is audited', () => {
  const isIn = async (asked: RequestSpec, audit: Policy['audit'] = 'all') => {
    const judged = policy({ ...SPEC, audit });
    return isAudited(judged, await decide(judged, asked));
  };
  test.each<[string, RequestSpec, Policy['audit'], boolean]>([
    ['an allow', { path: '/keys', bearer: RAW }, 'all', true],
    ['a route that is not', { path: '/quiet' }, 'all', false],
    ['an allow where only refusals are', { path: '/half', bearer: RAW }, 'all', false],
    ['a refusal where only refusals are', { path: '/half' }, 'all', true],
    ['no route', { path: '/x' }, 'all', true],
    ['no route, where refusals are', { path: '/x' }, 'refusals', true],
    ['no route, where nothing is', { path: '/x' }, 'none', false],
  ])('%s', async (_, asked, audit, expected) => {
    expect(await isIn(asked, audit)).toBe(expected);
  });
});
