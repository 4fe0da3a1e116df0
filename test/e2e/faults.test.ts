import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/core/policy.ts';
import { guardPorts, PortFailure, type Ports } from '../../src/core/ports.ts';
import { type Authorization, createHandleCheck } from '../../src/envoy/authorization.ts';
import { NOW, policy, rawKey, sha256 } from '../core/build.ts';
import { type Asked, messageOf } from './messages.ts';
import { type RawAnswer, readAnswer } from './raw-client.ts';

const BUDGET_MS = 60;
const key = rawKey();
const stored = rawKey('pst_', 2);
const SECRET_WORD = 'a word that only the failure knows';

/** A failure as a broken part makes it. */
function broken(): never {
  throw new Error(SECRET_WORD);
}

function plainPolicy(): Policy {
  return policy({
    keys: [{ raw: key, id: 'one', workspace: 'acme', roles: ['reader'], plan: 'free' }],
    plans: { free: { per_minute: 100 } },
    roles: { reader: { scopes: ['docs:read'] } },
    issuers: [{ name: 'id' }],
    errors: { unmatched: 403 },
    routes: [
      {
        name: 'all',
        path: '/v1/**',
        access: ['api_key', 'jwt'],
        scopes: ['docs:read'],
        ips: ['127.0.0.0/8'],
      },
    ],
  });
}

/** Ports that work: one stored key, tokens of one issuer, no limit ever reached. */
function soundPorts(from: Policy): Ports {
  const [issuer] = from.issuers;
  const found = from.declaredKeys.get(sha256(key));
  if (!issuer || !found) throw new Error('the policy has changed');
  return {
    findKey: (hash) => (hash === sha256(stored) ? found : undefined),
    findWorkspace: () => undefined,
    findOwner: () => undefined,
    findRoles: () => undefined,
    verifyToken: () => ({ kind: 'token', issuer, claims: { sub: 'ada', scope: 'docs:read' } }),
    takeLimits: () => ({ usages: [], refused: false }),
  };
}

type Outcome = RawAnswer & { readonly failures: readonly unknown[]; readonly tookMs: number };

/** One check by a shell of which a test replaces some parts. */
async function checkWith(change: Partial<Authorization>, asked: Asked): Promise<Outcome> {
  const failures: unknown[] = [];
  const from = plainPolicy();
  const handleCheck = createHandleCheck({
    ports: guardPorts(soundPorts(from)),
    policy: () => from,
    now: () => NOW,
    hostAddresses: new Set(),
    record: () => {},
    onFailure: (cause) => failures.push(cause),
    ...change,
  });
  const startedMs = performance.now();
  const bytes = await handleCheck(messageOf(asked), BUDGET_MS);
  return { ...readAnswer(bytes), failures, tookMs: performance.now() - startedMs };
}

function expectRefused(outcome: Outcome, status: number, reason: string): void {
  expect(outcome).toMatchObject({ status, metadata: { decision: 'deny', reason } });
  expect(outcome.code).toBeGreaterThan(0);
  expect(JSON.parse(outcome.body)).toMatchObject({ reason, request_id: expect.any(String) });
  expect(outcome.bytes.toString('latin1')).not.toContain(SECRET_WORD);
}

const declared: Asked = { lines: [['x-api-key', key]] };
const byStore: Asked = { lines: [['x-api-key', stored]] };
const byToken: Asked = { lines: [['authorization', 'Bearer aaaa.bbbb.cccc']] };

test.each([
  ['a declared key', declared],
  ['a stored key', byStore],
  ['a token', byToken],
])('with every part sound, %s is let in', async (_name, asked) => {
  const outcome = await checkWith({}, asked);
  expect(outcome).toMatchObject({ code: 0, failures: [], metadata: { decision: 'allow' } });
});

/** Ways of a port to fail; each leaves the request unjudged. */
const FAILURES: readonly (readonly [string, () => unknown])[] = [
  ['throws', broken],
  ['rejects', () => Promise.reject(new Error(SECRET_WORD))],
  ['rejects with no error', () => Promise.reject('down')],
  ['rejects late', () => new Promise((_, reject) => setTimeout(reject, BUDGET_MS / 2, 'late'))],
  ['hangs', () => new Promise(() => {})],
];

/** A request that makes each port be asked. */
const ASKED: readonly (readonly [keyof Ports, Asked])[] = [
  ['findKey', byStore],
  ['findWorkspace', declared],
  ['verifyToken', byToken],
  ['takeLimits', declared],
];

describe.each(ASKED)('the port %s', (port, asked) => {
  test.each(FAILURES)('%s: 503 within the budget', async (_name, fail) => {
    const ports = guardPorts({ ...soundPorts(plainPolicy()), [port]: fail });
    const outcome = await checkWith({ ports }, asked);
    expectRefused(outcome, 503, 'unavailable');
    expect(outcome.headers['retry-after']).toBe('1');
    expect(outcome.failures).toEqual([expect.any(PortFailure)]);
    expect(outcome.tookMs).toBeLessThan(BUDGET_MS * 10);
  });

  test('answers after the budget: the answer changes nothing any more', async () => {
    const sound = soundPorts(plainPolicy());
    const late = async (...args: readonly never[]) => {
      await new Promise((resolve) => setTimeout(resolve, BUDGET_MS * 2));
      return (sound[port] as (...args: readonly never[]) => unknown)(...args);
    };
    const outcome = await checkWith({ ports: guardPorts({ ...sound, [port]: late }) }, asked);
    expectRefused(outcome, 503, 'unavailable');
  });

  test('rejects after the budget: nothing is left unhandled', async () => {
    const unhandled: unknown[] = [];
    const hear = (cause: unknown) => unhandled.push(cause);
    process.on('unhandledRejection', hear);
    const late = Promise.withResolvers<never>();
    const ports = guardPorts({ ...soundPorts(plainPolicy()), [port]: () => late.promise });
    expectRefused(await checkWith({ ports }, asked), 503, 'unavailable');
    late.reject(new Error(SECRET_WORD));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', hear);
    expect(unhandled).toEqual([]);
  });

  test('answers nonsense: no allow comes of it that the policy would not give', async () => {
    const ports = { ...soundPorts(plainPolicy()), [port]: () => null } as unknown as Ports;
    const outcome = await checkWith({ ports: guardPorts(ports) }, asked);
    if (outcome.code === 0) expect(port).toBe('findWorkspace');
    else expect(outcome.status).toBeGreaterThanOrEqual(401);
  });
});

/** The policy, or the route of a request, with one part that fails when it is read. */
function without(part: string): Policy {
  const whole = plainPolicy();
  const [name = '', rest] = part.split('.');
  if (name !== 'route') return rest ? breakIn(whole, name, rest) : withBroken(whole, name);
  const routes = whole.routes.map((route) => withBroken(route, rest ?? ''));
  return { ...whole, routes, routesBySegment: new Map([['v1', routes]]) };
}

function breakIn(whole: Policy, name: string, rest: string): Policy {
  return { ...whole, [name]: withBroken(Reflect.get(whole, name) as object, rest) };
}

function withBroken<T extends object>(whole: T, name: string): T {
  return Object.defineProperty({ ...whole }, name, { get: broken, enumerable: false });
}

/** One part for each step that reads it, in the order of `check()` and of what comes after. */
const STEPS: readonly (readonly [step: string, part: string])[] = [
  ['reading the message', 'clientIp'],
  ['finding the route', 'routesBySegment'],
  ['judging blocks', 'blocks.addresses'],
  ['matching its host', 'route.host'],
  ['judging https', 'route.httpsOnly'],
  ['judging the address', 'route.ips'],
  ['judging the referer', 'route.referers'],
  ['judging the origin', 'route.cors'],
  ['asking for the access', 'route.access'],
  ['finding credentials', 'places'],
  ['parsing the key', 'prefixes'],
  ['finding the key', 'declaredKeys'],
  ['cutting roles', 'roles'],
  ['finding the workspace', 'workspaces'],
  ['choosing the plan', 'plans'],
  ['judging who is blocked', 'blocks.principals'],
  ['judging browsers', 'browser'],
  ['judging environments', 'route.environments'],
  ['judging workspaces', 'route.workspaces'],
  ['judging scopes', 'route.scopes'],
  ['judging the role', 'route.role'],
  ['judging claims', 'route.claims'],
  ['choosing the subject', 'limitBy'],
  ['collecting limits', 'route.limits'],
  ['writing limits', 'rateLimitHeaders'],
  ['writing identity', 'upstream'],
  ['stripping', 'strip'],
  ['writing facts', 'hash'],
];

describe('an exception while', () => {
  test.each(STEPS)('%s: 500, and nothing of it is told', async (_step, part) => {
    const outcome = await checkWith({ policy: () => without(part) }, declared);
    expectRefused(outcome, 500, 'internal');
    expect(outcome.failures.length).toBeGreaterThan(0);
  });

  test('refusing: 500', async () => {
    const outcome = await checkWith({ policy: () => without('errors') }, { path: '/v2' });
    expectRefused(outcome, 500, 'internal');
  });

  test('refusing because a port failed: 500', async () => {
    const ports = guardPorts({ ...soundPorts(plainPolicy()), takeLimits: broken });
    const outcome = await checkWith({ ports, policy: () => without('errors') }, declared);
    expectRefused(outcome, 500, 'internal');
  });
});

describe('the shell lives on when', () => {
  test.each<[string, Partial<Authorization>]>([
    ['the policy cannot be had', { policy: broken }],
    ['the clock fails', { now: broken }],
    ['policy and listener fail', { policy: broken, onFailure: broken }],
  ])('%s: 500', async (_name, change) => {
    expectRefused(await checkWith(change, declared), 500, 'internal');
  });

  test.each<[string, Partial<Authorization>]>([
    ['the recorder throws', { record: broken }],
    ['recorder and listener throw', { record: broken, onFailure: broken }],
  ])('%s: the decision stands', async (_name, change) => {
    expect(await checkWith(change, declared)).toMatchObject({ code: 0 });
    expect(await checkWith(change, {})).toMatchObject({ status: 401 });
  });

  test('a port fails and the listener throws: 503', async () => {
    const ports = guardPorts({ ...soundPorts(plainPolicy()), takeLimits: broken });
    const outcome = await checkWith({ ports, onFailure: broken }, declared);
    expectRefused(outcome, 503, 'unavailable');
  });

  test('the answer cannot be encoded: 500, and no allow is recorded', async () => {
    const whole = plainPolicy();
    const names = { ...whole.upstream.names, username: undefined as unknown as string };
    const recorded: string[] = [];
    const change: Partial<Authorization> = {
      policy: () => ({ ...whole, upstream: { ...whole.upstream, names } }),
      record: ({ decision }) => recorded.push(decision.kind),
    };
    expectRefused(await checkWith(change, declared), 500, 'internal');
    expect(recorded).not.toContain('allow');
  });
});

test('a policy that changes while a port answers judges the request by the one it began with', async () => {
  let asked = 0;
  const first = plainPolicy();
  const closed = { ...first, routes: [], routesBySegment: new Map() };
  const policyNow = () => {
    asked += 1;
    return asked === 1 ? first : closed;
  };
  const slow = {
    ...soundPorts(first),
    takeLimits: () =>
      new Promise<{ usages: []; refused: false }>((resolve) => {
        setTimeout(resolve, 10, { usages: [], refused: false });
      }),
  };
  const outcome = await checkWith({ policy: policyNow, ports: guardPorts(slow) }, declared);
  expect(outcome.code).toBe(0);
  expect(asked).toBe(1);
});
