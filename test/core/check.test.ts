import { describe, expect, test } from 'vitest';
import { check } from '../../src/core/check.ts';
import { DENIALS, type Reason } from '../../src/core/decision.ts';
import type { FailureBook } from '../../src/core/failures-book.ts';
import { compileKey } from '../../src/core/key-record.ts';
import { guardPorts, PortFailure, type Ports } from '../../src/core/ports.ts';
import {
  decide,
  failureBook,
  NOW,
  outcome,
  type PolicySpec,
  policy,
  ports,
  type RequestSpec,
  rawKey,
  request,
  token,
} from './build.ts';

const RAW = rawKey();
const KEY = compileKey({ id: 'k1', hash: `sha256:${'0'.repeat(64)}`, workspace: 'w' });
const refused = (refuse: Reason): RequestSpec => ({ bearer: token('id', { refuse }) });
const one = (route: PolicySpec['routes'][number], more: Partial<PolicySpec> = {}): PolicySpec => ({
  keys: [{ raw: RAW, workspace: 'w' }],
  issuers: [{ name: 'id' }],
  routes: [{ access: ['api_key', 'jwt'], ...route }],
  ...more,
});

/** A book in which an address is blocked. */
function blocked(address: string): FailureBook {
  const book = failureBook();
  book.blocks.put(`ip\n${address}`, NOW + 1);
  return book;
}

/** One request for each reason that the core reaches. */
const REACHED: readonly (readonly [Reason, PolicySpec, RequestSpec, Partial<Ports>?])[] = [
  ['malformed_request', one({}), { fault: 'malformed_request' }],
  ['body_too_large', one({}), { fault: 'body_too_large' }],
  ['ambiguous_path', one({}), { path: '/a//b' }],
  ['duplicate_credential', one({}), { bearer: RAW, headers: { 'x-api-key': RAW } }],
  ['malformed_credential', one({}), { headers: { 'x-api-key': 'a b' } }],
  ['missing_credential', one({}), {}],
  ['unknown_key', one({}), { bearer: rawKey('pst_', 9) }],
  [
    'key_expired',
    one({}, { keys: [{ raw: RAW, expires_at: '2026-01-01T00:00:00Z' }] }),
    { bearer: RAW },
  ],
  [
    'key_revoked',
    one({}, { keys: [] }),
    { bearer: RAW },
    { findKey: () => ({ key: { ...KEY, status: 'revoked' } }) },
  ],
  ['key_disabled', one({}, { keys: [{ raw: RAW, disabled: true }] }), { bearer: RAW }],
  ['token_invalid', one({}), refused('token_invalid')],
  ['token_expired', one({}), refused('token_expired')],
  ['token_not_yet_valid', one({}), refused('token_not_yet_valid')],
  ['token_issuer', one({}), { bearer: token('elsewhere') }],
  ['token_audience', one({}), refused('token_audience')],
  ['credential_not_accepted', one({ access: ['jwt'] }), { bearer: RAW }],
  [
    'quota_exhausted',
    one({ plan: 'q' }, { plans: { q: { quota: { requests: 0, per: 'month' } } } }),
    { bearer: RAW },
  ],
  ['workspace_past_due', one({}, { workspaces: { w: { status: 'past_due' } } }), { bearer: RAW }],
  ['blocked', one({}, { blocks: [{ ip: '203.0.113.9' }] }), {}],
  ['no_route', one({ path: '/a' }), { path: '/b' }],
  ['https_required', one({ httpsOnly: true }), { scheme: 'http' }],
  ['ip_not_allowed', one({ ips: ['192.0.2.1'] }), {}],
  ['referer_not_allowed', one({ referers: ['a.com'] }), { headers: { referer: 'https://b.com/' } }],
  [
    'origin_not_allowed',
    one({ cors: { origins: ['a.com'] } }),
    { headers: { origin: 'https://b.com' } },
  ],
  ['wrong_environment', one({ environments: ['live'] }), { bearer: RAW }],
  ['wrong_workspace', one({ path: '/{workspace}' }), { path: '/x', bearer: RAW }],
  ['route_not_allowed', one({}, { keys: [{ raw: RAW, allowed_routes: [] }] }), { bearer: RAW }],
  ['insufficient_scope', one({ scopes: ['a:b'] }), { bearer: RAW }],
  ['insufficient_role', one({ role: 'r' }, { roles: { r: {} } }), { bearer: RAW }],
  ['claim_not_allowed', one({ claims: { a: true } }), { bearer: token('id') }],
  ['workspace_suspended', one({}, { workspaces: { w: { status: 'suspended' } } }), { bearer: RAW }],
  [
    'owner_deactivated',
    one({}, { keys: [] }),
    { bearer: RAW },
    {
      findKey: () => ({ key: { ...KEY, kind: 'personal', owner: 'ada' } }),
      findOwner: () => ({ active: false, scopes: [], roles: [] }),
    },
  ],
  [
    'too_many_failures',
    one({}, { alerts: { failures: [{ by: 'ip', windows: [], blockMs: 1 }] } }),
    { bearer: RAW },
    { failures: blocked('203.0.113.9') },
  ],
  ['rate_limited', one({ plan: 'p' }, { plans: { p: { per_minute: 0 } } }), { bearer: RAW }],
];

/** Reasons that no request to the core can have yet, and why. */
const UNREACHED: { readonly [reason in Reason]?: string } = {
  sensitive_data: 'bodies are not read',
  too_many_concurrent: 'the gate does not learn when a request ends',
  internal: 'made in envoy/ of what is thrown',
  unavailable: 'made in envoy/ of a port that failed',
};

describe('every reason can be reached', () => {
  test.each(REACHED.map(([reason, ...rest]) => ({ reason, rest })))('$reason', async (row) => {
    const { reason } = row;
    const [spec, asked, more] = row.rest;
    expect(await decide(policy(spec), asked, more)).toMatchObject({ kind: 'deny', reason });
  });

  test('but for these', () => {
    const reached = REACHED.map(([reason]) => reason);
    expect(new Set([...reached, ...Object.keys(UNREACHED)])).toEqual(new Set(Object.keys(DENIALS)));
    expect(reached.filter((reason) => reason in UNREACHED)).toEqual([]);
  });
});

describe('the order of the steps', () => {
  test('read, admit, identify, authorize, limit: the first refusal is the answer', async () => {
    const worst: PolicySpec = {
      keys: [{ raw: RAW, workspace: 'w' }],
      blocks: [{ ip: '192.0.2.0/24' }],
      plans: { p: { per_minute: 0 } },
      routes: [
        {
          path: '/a',
          httpsOnly: true,
          ips: ['203.0.113.0/24'],
          referers: { allow: ['a.com'], missing: 'deny' },
          cors: { origins: ['b.com'] },
          scopes: ['x:y'],
          plan: 'p',
        },
      ],
    };
    const judged = policy(worst);
    const a = 'https://a.com';
    const asks: readonly (readonly [RequestSpec, string, string])[] = [
      [{ path: '/a//', address: '192.0.2.1', scheme: 'http' }, 'blocked', 'admit'],
      [{ path: '/none', address: '192.0.2.1', scheme: 'http' }, 'blocked', 'admit'],
      [{ path: '/a//', address: '198.51.100.1', scheme: 'http' }, 'ambiguous_path', 'read'],
      [{ path: '/none', address: '198.51.100.1', scheme: 'http' }, 'no_route', 'admit'],
      [{ address: '198.51.100.1', scheme: 'http' }, 'https_required', 'admit'],
      [{ address: '198.51.100.1' }, 'ip_not_allowed', 'admit'],
      [{ headers: { referer: 'x' } }, 'referer_not_allowed', 'admit'],
      [{ headers: { referer: `${a}/`, origin: a } }, 'origin_not_allowed', 'admit'],
      [{ headers: { referer: `${a}/` } }, 'missing_credential', 'identify'],
      [{ headers: { referer: `${a}/` }, bearer: RAW }, 'insufficient_scope', 'authorize'],
    ];
    for (const [asked, reason, step] of asks) {
      const headers = { 'x-forwarded-proto': 'https', ...asked.headers };
      const decision = await decide(judged, { path: '/a', ...asked, headers });
      expect(decision).toMatchObject({ kind: 'deny', reason, step });
    }
    const able = policy({ ...worst, keys: [{ raw: RAW, scopes: ['x:y'] }] });
    const headers = { 'x-forwarded-proto': 'https', referer: `${a}/` };
    const last = await decide(able, { path: '/a', headers, bearer: RAW });
    expect(last).toMatchObject({ reason: 'rate_limited', step: 'limit' });
  });

  test('limits come last, so that a refused request costs its caller nothing', async () => {
    const takeLimits = () => expect.unreachable('no limit is taken');
    const charged = REACHED.filter(
      ([reason]) => reason !== 'rate_limited' && reason !== 'quota_exhausted',
    );
    for (const [reason, spec, asked, more] of charged) {
      const judged = policy({ ...spec, plans: { d: { per_minute: 9 } }, defaultPlan: 'd' });
      expect(outcome(await decide(judged, asked, { ...more, takeLimits }))).toBe(reason);
    }
  });

  test('limits are taken in one step', async () => {
    let trips = 0;
    const takeLimits: Ports['takeLimits'] = (groups, nowMs) => {
      trips += 1;
      expect(groups).toHaveLength(3);
      expect(nowMs).toBe(NOW);
      return ports().takeLimits(groups, nowMs);
    };
    const judged = policy({
      keys: [{ raw: RAW, rate_limit: { per_minute: 5 } }],
      plans: { p: { per_minute: 9, per_day: 99, burst: 3 } },
      defaultPlan: 'p',
      routes: [{ limits: [{ name: 'l', by: 'ip', per_minute: 5 }] }],
    });
    expect(outcome(await decide(judged, { bearer: RAW }, { takeLimits }))).toBe('allow');
    expect(trips).toBe(1);
  });

  test('without limits no store is asked', async () => {
    const takeLimits = () => expect.unreachable('no limit is taken');
    expect(outcome(await decide(policy(one({})), { bearer: RAW }, { takeLimits }))).toBe('allow');
  });
});

describe('what a refusal carries', () => {
  test('its route, caller, plan and limits, as far as they were known', async () => {
    const spec = one({ name: 'r', plan: 'p' }, { plans: { p: { per_minute: 0 } } });
    const limited = await decide(policy(spec), { bearer: RAW });
    expect(limited).toMatchObject({
      route: { name: 'r' },
      principal: { kind: 'api_key' },
      plan: 'p',
      taken: { refused: true },
    });
    const unknown = await decide(policy(spec), {});
    expect(unknown).toMatchObject({ route: { name: 'r' } });
    expect(unknown.principal).toBeUndefined();
    expect(unknown.taken).toBeUndefined();
  });
});

describe('a port that fails', () => {
  const boom = new Error('boom');
  const thrower = () => {
    throw boom;
  };
  const rejecter = () => Promise.reject(boom);
  const spec = one({ plan: 'p' }, { keys: [], plans: { p: { per_minute: 9 } } });
  const found = { findKey: () => ({ key: KEY }) };
  const cases: readonly (readonly [keyof Ports, RequestSpec, Partial<Ports>])[] = [
    ['findKey', { bearer: RAW }, {}],
    ['findWorkspace', { bearer: RAW }, found],
    ['verifyToken', { bearer: token('id') }, {}],
    ['takeLimits', { bearer: RAW }, found],
  ];
  test.each(cases)(
    '%s rejects the check with a failure that names it',
    async (name, asked, more) => {
      for (const fail of [thrower, rejecter]) {
        const guarded = guardPorts({ ...ports(more), [name]: fail });
        const answer = check(guarded, policy(spec), request(asked), NOW);
        await expect(answer).rejects.toThrow(PortFailure);
        const cause = await check(guarded, policy(spec), request(asked), NOW).catch(
          (error: unknown) => error,
        );
        expect(cause).toMatchObject({ message: expect.stringContaining(name), cause: boom });
      }
    },
  );

  test('a port that answers is passed through, at once or later', async () => {
    const later = guardPorts(ports({ findKey: () => Promise.resolve({ key: KEY }) }));
    expect(outcome(await check(later, policy(spec), request({ bearer: RAW }), NOW))).toBe('allow');
    const now = guardPorts(ports(found));
    expect(outcome(await check(now, policy(spec), request({ bearer: RAW }), NOW))).toBe('allow');
  });

  test('never makes an allow of an empty answer', async () => {
    const empty = { findKey: () => undefined };
    expect(outcome(await decide(policy(spec), { bearer: RAW }, empty))).toBe('unknown_key');
  });
});
