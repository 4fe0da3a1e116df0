import { describe, expect, test } from 'vitest';
import { callerAddress } from '../../src/api/read-request.ts';
import type { ClientIp } from '../../src/core/policy.ts';
import { ADMIN, DECLARED_KEY, NOW_MS, openStage, type Stage, token } from './stage.ts';

const PATH = '/v1/auth/verify';

async function make(stage: Stage, more: object = {}) {
  const body = { name: 'one', prefix: 'pr_live_', workspace_id: 'acme', scopes: ['reports:*'] };
  return (await stage.admin('POST', '/v1/api-keys', { ...body, ...more })).body;
}

describe('a sound credential', () => {
  test('a key: its facts, its effective scopes, and limits that asking does not spend', async () => {
    await using stage = await openStage();
    const { key, ...shown } = await make(stage, { rate_limit: { per_hour: 5 } });
    await stage.gateOn(key);
    await stage.gateOn(key);
    const reset = NOW_MS / 1000 + 60;
    const hour = NOW_MS / 1000 + 3600;
    for (let at = 0; at < 3; at += 1) {
      const came = await stage.ask('GET', PATH, { headers: { 'x-api-key': key } });
      expect(came.status).toBe(200);
      expect(came.body).toEqual({
        valid: true,
        method: 'api_key',
        api_key: { ...shown, last_used_at: came.body.api_key.last_used_at },
        username: 'one',
        subject: shown.id,
        workspace_id: 'acme',
        scopes: ['reports:*'],
        roles: [],
        plan: 'pro',
        limits: [
          { policy: '600/minute', limit: 600, remaining: 598, reset },
          { policy: '600/minute', limit: 600, burst: 20, remaining: 18, reset: expect.any(Number) },
          { policy: '5/hour', limit: 5, remaining: 3, reset: hour },
        ],
      });
    }
  });

  test('a declared key', async () => {
    await using stage = await openStage();
    const came = await stage.ask('GET', PATH, { as: DECLARED_KEY });
    expect(came.body).toMatchObject({ valid: true, api_key: { id: 'declared', read_only: true } });
  });

  test('a token', async () => {
    await using stage = await openStage();
    const as = await token({ scope: 'reports:read', org: 'other', roles: ['viewer'] });
    const came = await stage.ask('GET', PATH, { as });
    expect(came.body).toMatchObject({
      valid: true,
      method: 'jwt',
      api_key: null,
      username: 'ada',
      workspace_id: 'other',
      scopes: ['reports:read'],
      roles: ['viewer'],
      plan: 'free',
      limits: [{ policy: '60/minute', limit: 60, remaining: 60 }],
    });
  });

  test('the admin token', async () => {
    await using stage = await openStage();
    const came = await stage.ask('GET', PATH, { as: ADMIN });
    expect(came.body).toMatchObject({ valid: true, method: 'admin', api_key: null, limits: [] });
  });

  test('a key that may be used on certain routes only', async () => {
    await using stage = await openStage();
    const { key } = await make(stage, { allowed_routes: ['bills'] });
    expect((await stage.ask('GET', PATH, { as: key })).status).toBe(200);
  });
});

describe('a credential that the gate would refuse is refused alike', () => {
  test.each([
    ['none', {}, [401, 'missing_credential'], 'Bearer realm="postern"'],
    [
      'an unknown key',
      { authorization: `Bearer pr_live_${'0'.repeat(38)}` },
      [401, 'unknown_key'],
      'invalid_token',
    ],
    ['no key at all', { 'x-api-key': 'nonsense' }, [401, 'unknown_key'], 'invalid_token'],
    ['two', { 'x-api-key': 'a', authorization: 'Bearer b' }, [400, 'duplicate_credential'], null],
    ['a malformed one', { 'x-api-key': 'a b' }, [400, 'malformed_credential'], null],
  ])('%s', async (_, headers, wanted, challenge) => {
    await using stage = await openStage();
    const came = await stage.ask('GET', PATH, { headers });
    expect([came.status, came.body.reason]).toEqual(wanted);
    expect(Object.keys(came.body).sort()).toEqual(['error', 'message', 'reason', 'request_id']);
    expect(came.headers.get('content-type')).toBe('application/json');
    const sent = came.headers.get('www-authenticate');
    if (challenge === null) expect(sent).toBeNull();
    else expect(sent).toContain(challenge);
  });

  test('as a problem for who accepts one', async () => {
    await using stage = await openStage();
    const came = await stage.ask('GET', PATH, { headers: { accept: 'application/problem+json' } });
    expect(came.headers.get('content-type')).toBe('application/problem+json');
    expect(came.body).toMatchObject({ status: 401, reason: 'missing_credential' });
  });

  test.each([
    [
      'disabled',
      async (stage: Stage, id: string) => stage.admin('POST', `/v1/api-keys/${id}/disable`),
      401,
      'key_disabled',
    ],
    [
      'revoked',
      async (stage: Stage, id: string) => stage.admin('DELETE', `/v1/api-keys/${id}`),
      401,
      'key_revoked',
    ],
    [
      'rotated',
      async (stage: Stage, id: string) => stage.admin('POST', `/v1/api-keys/${id}/rotate`),
      401,
      'key_expired',
    ],
    [
      'bound to other addresses',
      async (stage: Stage, id: string) =>
        stage.admin('PATCH', `/v1/api-keys/${id}`, { allowed_ips: ['192.0.2.1'] }),
      403,
      'ip_not_allowed',
    ],
    [
      'bound to pages',
      async (stage: Stage, id: string) =>
        stage.admin('PATCH', `/v1/api-keys/${id}`, {
          allowed_referers: { allow: ['a.example.com'], missing: 'deny' },
        }),
      403,
      'referer_not_allowed',
    ],
    [
      'bound to origins',
      async (stage: Stage, id: string) =>
        stage.admin('PATCH', `/v1/api-keys/${id}`, {
          allowed_origins: { allow: ['a.example.com'], missing: 'deny' },
        }),
      403,
      'origin_not_allowed',
    ],
  ])('%s', async (_, change, status, reason) => {
    await using stage = await openStage();
    const { id, key } = await make(stage);
    await change(stage, id);
    const came = await stage.ask('GET', PATH, { as: key });
    expect([came.status, came.body.reason]).toEqual([status, reason]);
    expect(await stage.gateSays({ path: '/v1/reports/1', bearer: key, address: '127.0.0.1' })).toBe(
      reason,
    );
  });

  test('a referer that the key allows', async () => {
    await using stage = await openStage();
    const { key } = await make(stage, { allowed_referers: ['a.example.com'] });
    const asks = (referer: string) => stage.ask('GET', PATH, { as: key, headers: { referer } });
    expect((await asks('https://a.example.com/x')).status).toBe(200);
    expect((await asks('https://b.example.com/x')).body.reason).toBe('referer_not_allowed');
  });
});

describe('the address of the caller', () => {
  const hosts = new Set(['198.51.100.7']);
  const peer: ClientIp = { kind: 'peer' };
  const hops: ClientIp = { kind: 'trusted_hops', hops: 1 };
  const right: ClientIp = { kind: 'xff_from_right', position: 2 };
  const chain = '203.0.113.1, 203.0.113.2, 203.0.113.3';
  test.each([
    ['a direct caller', { rule: peer, from: '203.0.113.9', forwarded: undefined }, '203.0.113.9'],
    [
      'a caller from afar that forwards',
      { rule: peer, from: '203.0.113.9', forwarded: chain },
      '203.0.113.9',
    ],
    [
      'Envoy beside us, with the peer that it saw',
      { rule: peer, from: '127.0.0.1', forwarded: chain },
      '203.0.113.3',
    ],
    [
      'Envoy on this machine’s own address',
      { rule: peer, from: '198.51.100.7', forwarded: chain },
      '203.0.113.3',
    ],
    ['one trusted hop', { rule: hops, from: '127.0.0.1', forwarded: chain }, '203.0.113.2'],
    ['the second from the right', { rule: right, from: '::1', forwarded: chain }, '203.0.113.2'],
    ['too few entries', { rule: hops, from: '127.0.0.1', forwarded: '203.0.113.3' }, '203.0.113.3'],
    [
      'an entry that is no address',
      { rule: peer, from: '127.0.0.1', forwarded: '203.0.113.3, unknown' },
      undefined,
    ],
    ['an empty header', { rule: peer, from: '127.0.0.1', forwarded: '' }, undefined],
    ['a caller in this process', { rule: peer, from: undefined, forwarded: chain }, undefined],
  ])('%s', (_, { rule, from, forwarded }, wanted) => {
    expect(callerAddress(rule, from, forwarded, hosts)?.text).toBe(wanted);
  });

  test('decides over the key’s own list', async () => {
    await using stage = await openStage();
    const { key } = await make(stage, { allowed_ips: ['203.0.113.0/24'] });
    const asks = (forwarded: string) =>
      stage.ask('GET', PATH, { as: key, headers: { 'x-forwarded-for': forwarded } });
    expect((await asks('203.0.113.5')).status).toBe(200);
    expect((await asks('203.0.113.5, 192.0.2.1')).body.reason).toBe('ip_not_allowed');
    expect((await asks('nonsense')).body.reason).toBe('ip_not_allowed');
  });
});
