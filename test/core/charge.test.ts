import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limitsFor, subjectOfCounter } from '../../src/core/charge.ts';
import { compileKey } from '../../src/core/key-record.ts';
import type { LimitGroup } from '../../src/core/limit.ts';
import { SUBJECTS, type SubjectKind } from '../../src/core/policy.ts';
import { ANONYMOUS, type Principal } from '../../src/core/principal.ts';
import {
  decide,
  issuer,
  NOW,
  outcome,
  type PolicySpec,
  policy,
  ports,
  type RequestSpec,
  rawKey,
  request,
  token,
  workspace,
} from './build.ts';

const RAW = rawKey();

/** The counters that one request takes from. */
async function groupsOf(spec: PolicySpec, asked: RequestSpec): Promise<readonly LimitGroup[]> {
  let groups: readonly LimitGroup[] = [];
  await decide(policy(spec), asked, {
    takeLimits: (taken, nowMs) => {
      groups = taken;
      return ports().takeLimits(taken, nowMs);
    },
  });
  return groups;
}

describe('which plan is in force', () => {
  const plans = {
    route: { per_day: 1 },
    key: { per_day: 2 },
    own: { per_day: 3 },
    home: { per_day: 4 },
    fallback: { per_day: 5 },
  };
  const base: PolicySpec = {
    routes: [
      { path: '/route', plan: 'route', access: ['api_key', 'jwt', 'anonymous'] },
      { path: '/none', plan: 'none', access: ['api_key', 'jwt', 'anonymous'] },
      { path: '/public', access: 'public' },
      { access: ['api_key', 'jwt', 'anonymous'] },
    ],
    plans,
    defaultPlan: 'fallback',
    issuers: [{ name: 'id', claims: { plan: { path: ['plan'] }, workspace: { path: ['org'] } } }],
    workspaces: { w: { plan: 'home' }, bare: {} },
    keys: [
      { raw: RAW, plan: 'key', workspace: 'w' },
      { raw: rawKey('pst_', 2), workspace: 'w' },
      { raw: rawKey('pst_', 3), workspace: 'bare' },
      { raw: rawKey('pst_', 4) },
    ],
  };
  test.each<[string, RequestSpec, string | undefined]>([
    ["the route's before the key's", { path: '/route', bearer: RAW }, 'route'],
    [
      "the route's before the token's",
      { path: '/route', bearer: token('id', { plan: 'own' }) },
      'route',
    ],
    ["the route's for nobody", { path: '/route' }, 'route'],
    ["the key's before the workspace's", { bearer: RAW }, 'key'],
    ["the workspace's", { bearer: rawKey('pst_', 2) }, 'home'],
    ['the default where the workspace has none', { bearer: rawKey('pst_', 3) }, 'fallback'],
    ['the default where there is no workspace', { bearer: rawKey('pst_', 4) }, 'fallback'],
    [
      "the token's before the workspace's",
      { bearer: token('id', { plan: 'own', org: 'w' }) },
      'own',
    ],
    ["the workspace's of a token", { bearer: token('id', { org: 'w' }) }, 'home'],
    ['the default of a token', { bearer: token('id') }, 'fallback'],
    [
      'the next where the token names an unknown one',
      { bearer: token('id', { plan: 'gold', org: 'w' }) },
      'home',
    ],
    [
      'the default where the token names an unknown one',
      { bearer: token('id', { plan: '__proto__' }) },
      'fallback',
    ],
    ['the default of nobody', {}, 'fallback'],
    ['none where the route says so', { path: '/none', bearer: RAW }, undefined],
    ['none on a public route', { path: '/public' }, undefined],
  ])('%s', async (_, asked, expected) => {
    const decision = await decide(policy(base), asked);
    expect(decision).toMatchObject({ kind: 'allow', plan: expected });
    expect(decision.taken?.usages.map((one) => one.policy)).toEqual(
      expected === undefined ? [] : [`${plans[expected as keyof typeof plans].per_day}/day`],
    );
  });

  test('a token that names an unknown plan is counted', async () => {
    const judged = policy(base);
    const notices = async (asked: RequestSpec) => (await decide(judged, asked)).notices;
    expect(await notices({ bearer: token('id', { plan: 'gold' }) })).toEqual(['plan.unknown']);
    expect(await notices({ bearer: token('id', { plan: 'own' }) })).toEqual([]);
    expect(await notices({ bearer: token('id') })).toEqual([]);
  });

  test('a stored workspace brings its plan too', async () => {
    const judged = policy(base);
    const findWorkspace = (id: string) =>
      id === 'stored' ? workspace('stored', { plan: 'home' }) : undefined;
    const asked = { bearer: token('id', { org: 'stored' }) };
    expect((await decide(judged, asked, { findWorkspace })).plan).toBe('home');
  });

  test('an unknown plan of a stored workspace is no way around the default', async () => {
    const findWorkspace = () => workspace('stored', { plan: 'gone' });
    const asked = { bearer: token('id', { org: 'stored' }) };
    expect((await decide(policy(base), asked, { findWorkspace })).plan).toBe('fallback');
  });
});

describe('figures', () => {
  const spec: PolicySpec = {
    routes: [{ access: ['api_key', 'jwt', 'anonymous', 'both'] }],
    plans: {
      p: { per_day: 9, api_key: { per_day: 1 }, jwt: { per_day: 2 }, anonymous: { per_day: 3 } },
    },
    defaultPlan: 'p',
    issuers: [{ name: 'id' }],
    keys: [{ raw: RAW }],
  };
  test.each<[string, RequestSpec, string]>([
    ['of a key', { bearer: RAW }, '1/day'],
    ['of a token', { bearer: token('id') }, '2/day'],
    ['of nobody', {}, '3/day'],
  ])('%s', async (_, asked, expected) => {
    const [group] = await groupsOf(spec, asked);
    expect(group?.figures.windows.map((one) => one.policy)).toEqual([expected]);
  });

  test('of a workspace override the plan it names', async () => {
    const overridden: PolicySpec = {
      ...spec,
      keys: [{ raw: RAW, workspace: 'w' }],
      workspaces: { w: { plan: 'p', overrides: { per_day: 77 } } },
    };
    const [group] = await groupsOf(overridden, { bearer: RAW });
    expect(group?.figures.windows.map((one) => one.policy)).toEqual(['77/day']);
  });
});

describe("what applies besides the plan: the key's own limit and the route's", () => {
  const spec: PolicySpec = {
    routes: [
      { path: '/a', cost: 5, limits: [{ name: 'extra', by: 'ip', per_minute: 7 }] },
      { path: '/b', limits: [{ name: 'extra', by: 'ip', per_minute: 7 }] },
      { path: '/public', access: 'public', limits: [{ name: 'guests', by: 'ip', per_minute: 1 }] },
    ],
    plans: { p: { per_minute: 100 } },
    defaultPlan: 'p',
    keys: [{ raw: RAW, rate_limit: { per_minute: 50, burst: 20 } }],
  };

  test('all three, each with the cost of the route', async () => {
    const groups = await groupsOf(spec, { path: '/a', bearer: RAW });
    expect(groups.map((one) => one.figures.windows[0]?.policy)).toEqual([
      '100/minute',
      '50/minute',
      '7/minute',
    ]);
    expect(groups.map((one) => one.cost)).toEqual([5, 5, 5]);
    expect(new Set(groups.map((one) => one.counter)).size).toBe(3);
  });

  test('each counter tells its subject again, whatever limit it is of', async () => {
    const groups = await groupsOf(spec, { path: '/a', bearer: RAW });
    for (const { counter, subject } of groups) expect(subjectOfCounter(counter)).toBe(subject);
  });

  test('a plan is one pool over all routes, a limit of a route is its own', async () => {
    const a = await groupsOf(spec, { path: '/a', bearer: RAW });
    const b = await groupsOf(spec, { path: '/b', bearer: RAW });
    expect(a.map((one, index) => one.counter === b[index]?.counter)).toEqual([true, true, false]);
  });

  test('a public route has its limits by ip', async () => {
    const judged = policy(spec);
    const store = ports();
    const ask = async (address: string) =>
      outcome(await decide(judged, { path: '/public', address }, store));
    expect(await ask('192.0.2.1')).toBe('allow');
    expect(await ask('192.0.2.1')).toBe('rate_limited');
    expect(await ask('192.0.2.2')).toBe('allow');
  });

  test('two products never share a counter', async () => {
    const one = await groupsOf({ ...spec, product: 'one' }, { path: '/a', bearer: RAW });
    const two = await groupsOf({ ...spec, product: 'two' }, { path: '/a', bearer: RAW });
    for (const { counter } of one) expect(two.map((group) => group.counter)).not.toContain(counter);
  });

  test('a thousand concurrent checks against a limit of 100 give 100 allows', async () => {
    const store = ports();
    const asked = { path: '/b', bearer: RAW };
    const limited = policy({
      ...spec,
      routes: [{}],
      plans: { p: { per_day: 100 } },
      keys: [{ raw: RAW }],
    });
    const decisions = await Promise.all(
      Array.from({ length: 1000 }, () => decide(limited, asked, store)),
    );
    expect(decisions.filter((one) => one.kind === 'allow')).toHaveLength(100);
  });
});

const one = policy({ routes: [{}] });
const [ROUTE] = one.routes;

/** The counter of a limit by `by`, for a caller. */
function counterOf(by: SubjectKind, principal: Principal, address?: string): string {
  return groupOf(by, principal, address)?.counter ?? '';
}

function groupOf(by: SubjectKind, principal: Principal, address?: string): LimitGroup | undefined {
  if (!ROUTE) throw new Error('there is a route');
  const figures = { windows: [] };
  const route = { ...ROUTE, limits: [{ name: 'l', by, on: 'all' as const, figures }] };
  const [group] = limitsFor(
    {
      policy: one,
      match: { route, workspaces: [], preflight: undefined },
      request: request({ address }),
      principal,
      workspace: undefined,
      nowMs: NOW,
    },
    undefined,
  );
  return group;
}

/** What config.md says that a limit counts against. */
function identityOf(by: SubjectKind, principal: Principal, address: string): readonly unknown[] {
  const { environment, workspace: home, username, client, key } = principal;
  const realm = principal.issuer ? `issuer ${principal.issuer.name}` : 'key';
  const ladder: { readonly [kind in SubjectKind]: readonly unknown[] | undefined } = {
    workspace: home === undefined ? undefined : [home],
    username: username === undefined ? undefined : [realm, home, username],
    key: key && [key.id],
    client: client === undefined ? undefined : [realm, client],
    ip: [address.includes(':') ? address.split(':').slice(0, 4).join(':') : address],
  };
  const kind = SUBJECTS.slice(SUBJECTS.indexOf(by)).find((each) => ladder[each] !== undefined);
  return [kind, environment, ...(ladder[kind ?? 'ip'] ?? [])];
}

const WORD = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('a', 'api_key', 'jwt:a') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('b', 'jwt', ':', '|', ' ', 'undefined', '1.2.3.4', '%0a'),
  },
);
const OPTIONAL = fc.option(WORD, { nil: undefined });
const ADDRESS = fc.constantFrom(
  '1.2.3.4',
  '1.2.3.5',
  '2001:db8:0:1:0:0:0:1',
  '2001:db8:0:1:0:0:0:2',
  '2001:db8:0:2:0:0:0:1',
  '2001:db8:a0a:a0a:0:0:0:1',
);
const PRINCIPAL: fc.Arbitrary<Principal> = fc
  .record({
    kind: fc.constantFrom('api_key' as const, 'jwt' as const, 'anonymous' as const),
    username: WORD,
    workspace: OPTIONAL,
    client: OPTIONAL,
    environment: OPTIONAL,
    name: WORD,
  })
  .map(({ kind, username, name, client, ...rest }): Principal => {
    const bare = ANONYMOUS;
    if (kind === 'anonymous') return { ...bare, environment: rest.environment };
    if (kind === 'jwt')
      return { ...bare, ...rest, kind, username, client, issuer: issuer({ name }) };
    const key = compileKey({ id: name, hash: `sha256:${'0'.repeat(64)}` });
    return { ...bare, ...rest, kind, username, key };
  });

test('two callers share a counter exactly when they are the same subject', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SUBJECTS),
      fc.tuple(PRINCIPAL, ADDRESS),
      fc.tuple(PRINCIPAL, ADDRESS),
      (by, [first, home], [second, other]) => {
        const isSame =
          JSON.stringify(identityOf(by, first, home)) ===
          JSON.stringify(identityOf(by, second, other));
        expect(counterOf(by, first, home) === counterOf(by, second, other)).toBe(isSame);
      },
    ),
    { numRuns: 20_000, seed: 7 },
  );
});

test('the subject of any caller is found in its counter again', () => {
  fc.assert(
    fc.property(fc.constantFrom(...SUBJECTS), PRINCIPAL, ADDRESS, (by, principal, address) => {
      const group = groupOf(by, principal, address);
      expect(group && subjectOfCounter(group.counter)).toBe(group?.subject);
      expect(group?.subject).toMatch(/^\w+\n/);
    }),
  );
});

test.each(['', 'shop', 'shop\nplan:p', 'shop\nplan:p\nkey', 'shop\nroute:r\nl\nkey\n'])(
  '%j is no counter',
  (text) => {
    expect(subjectOfCounter(text)).toBeUndefined();
  },
);

describe('the subject of a limit', () => {
  const nobody = ANONYMOUS;
  const someone: Principal = {
    ...ANONYMOUS,
    kind: 'api_key',
    username: 'ada',
    workspace: 'w',
    environment: 'live',
  };

  test("an environment's traffic is apart from another's", () => {
    for (const by of SUBJECTS) {
      const live = counterOf(by, someone, '1.2.3.4');
      expect(counterOf(by, { ...someone, environment: 'test' }, '1.2.3.4')).not.toBe(live);
      expect(counterOf(by, { ...someone, environment: undefined }, '1.2.3.4')).not.toBe(live);
    }
  });

  test('callers without a known address count as one', () => {
    expect(counterOf('ip', nobody)).toBe(counterOf('ip', nobody));
    expect(counterOf('ip', nobody)).not.toBe(counterOf('ip', nobody, '1.2.3.4'));
    expect(counterOf('workspace', nobody, '1.2.3.4')).toBe(counterOf('ip', nobody, '1.2.3.4'));
  });

  test('IPv4-mapped addresses are unwrapped and IPv6 counts by /64', () => {
    expect(counterOf('ip', nobody, '::ffff:1.2.3.4')).toBe(counterOf('ip', nobody, '1.2.3.4'));
    expect(counterOf('ip', nobody, '2001:db8::1')).toBe(
      counterOf('ip', nobody, '2001:db8::ffff:0:0:1'),
    );
    expect(counterOf('ip', nobody, '2001:db8::1')).not.toBe(
      counterOf('ip', nobody, '2001:db8:0:1::1'),
    );
  });
});
