import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { describe, expect, test } from 'vitest';
import type { Answered } from '../../../src/core/answered.ts';
import { guardPorts, type Ports } from '../../../src/core/ports.ts';
import { type Authorization, createHandleCheck } from '../../../src/envoy/authorization.ts';
import { policy, rawKey } from '../../core/build.ts';
import { type Asked, messageOf } from '../../e2e/messages.ts';
import { readAnswer } from '../../e2e/raw-client.ts';
import { nanosecondsOf, OTHER, openKeeper, openStand, parent, SPAN, TRACE } from './stand.ts';

const BUDGET_MS = 1000;
const declared = rawKey('pst_', 1);
const stored = rawKey('pst_', 2);
const USERNAME = 'mallory@example.com';
const judged = policy({
  plans: { few: { per_day: 10 } },
  keys: [{ raw: declared, username: USERNAME, plan: 'few', workspace: 'acme' }],
  issuers: [{ name: 'id' }],
  routes: [{ name: 'v1', path: '/v1/**', access: ['api_key', 'jwt'] }],
});
const personal = {
  ...policy({
    keys: [{ raw: stored, kind: 'personal', owner: 'ada', roles: ['own'], workspace: 'acme' }],
    routes: [{ path: '/' }],
  })
    .declaredKeys.values()
    .next().value,
};

/** Ports in order. */
function soundPorts(): Ports {
  const [issuer] = judged.issuers;
  if (!issuer || !personal.key) throw new Error('the policy has changed');
  const found = { key: personal.key };
  return {
    findKey: () => found,
    findWorkspace: async () => undefined,
    findOwner: async () => ({ active: true, scopes: ['*'], roles: ['own'] }),
    findRoles: async () => new Map(),
    verifyToken: () => ({ kind: 'token', issuer, claims: { sub: USERNAME } }),
    takeLimits: async () => ({ usages: [], refused: false }),
  };
}

type Sent = {
  readonly asked?: Asked;
  readonly carried?: readonly string[];
  readonly ports?: Partial<Ports>;
  readonly env?: { readonly [name: string]: string };
  readonly change?: Partial<Authorization>;
  readonly budgetMs?: number;
};

/** One check by the real shell, and the spans that leave. */
async function checkTraced(sent: Sent) {
  const { asked = {}, carried, ports, env = {}, change, budgetMs = BUDGET_MS } = sent;
  const { exporter, spans } = openKeeper();
  const tracing = openStand({ env, exporter });
  const records: Answered[] = [];
  const failures: unknown[] = [];
  const handleCheck = createHandleCheck({
    ports: guardPorts({ ...soundPorts(), ...ports }),
    policy: () => judged,
    now: Date.now,
    hostAddresses: new Set(),
    record: (record) => records.push(record),
    trace: tracing.trace,
    onFailure: (cause, traceId) => failures.push([cause, traceId]),
    ...change,
  });
  const bytes = await handleCheck(messageOf(asked), budgetMs, undefined, carried);
  await tracing.close(BUDGET_MS);
  const [record] = records;
  if (!record) throw new Error('nothing was recorded');
  return { answer: readAnswer(bytes), spans, record, failures };
}

const withKey: Asked = { lines: [['x-api-key', declared]] };
const named = (spans: readonly ReadableSpan[]) => spans.map(({ name }) => name);
const last = (spans: readonly ReadableSpan[]): ReadableSpan => {
  const span = spans.at(-1);
  if (!span) throw new Error('no span left');
  return span;
};

describe('the parent', () => {
  const header = (...values: readonly string[]): Asked => ({
    lines: [['x-api-key', declared], ...values.map((one) => ['traceparent', one] as const)],
  });
  test.each([
    ['is the span in which Envoy asks', header(parent('01', OTHER)), [parent('01')], TRACE],
    ['is else that of the request', header(parent('01', OTHER)), [], OTHER],
    ['is that of the request where Envoy names none in form', header(parent('01')), ['x'], TRACE],
    [
      'is that of the request where Envoy names two',
      header(parent('01')),
      [parent('01', OTHER), parent('01', OTHER)],
      TRACE,
    ],
    ['is none where the request names two', header(parent('01'), parent('01')), [], undefined],
    ['is none where the request names none in form', header('00-x'), [], undefined],
    ['is none where nobody names one', withKey, [], undefined],
  ])('%s', async (_name, asked, carried, trace) => {
    const { spans, record } = await checkTraced({ asked, carried });
    const check = last(spans);
    expect(check.parentSpanContext?.spanId).toBe(trace && SPAN);
    if (trace) expect(check.spanContext().traceId).toBe(trace);
    else expect([TRACE, OTHER]).not.toContain(check.spanContext().traceId);
    expect(record).toMatchObject({
      traceId: check.spanContext().traceId,
      spanId: check.spanContext().spanId,
    });
  });

  test('that is not sampled leaves no span, but its id in what is told', async () => {
    const { spans, record, answer } = await checkTraced({ carried: [parent('00')] });
    expect(spans).toEqual([]);
    expect(record.traceId).toBe(TRACE);
    expect(record.spanId).toBeUndefined();
    expect(JSON.parse(answer.body)).toMatchObject({ trace_id: TRACE });
  });

  test('that is not sampled is sampled where the operator wants all', async () => {
    const env = { OTEL_TRACES_SAMPLER: 'always_on' };
    const { spans } = await checkTraced({ carried: [parent('00')], env });
    expect(named(spans)).toEqual(['postern.check']);
    expect(last(spans).spanContext().traceId).toBe(TRACE);
  });

  test('that is sampled is not where the operator wants none', async () => {
    const env = { OTEL_TRACES_SAMPLER: 'always_off' };
    const { spans, record } = await checkTraced({ carried: [parent('01')], env });
    expect(spans).toEqual([]);
    expect(record.traceId).toBe(TRACE);
  });

  test('a check that begins no trace has no id', async () => {
    const env = { OTEL_TRACES_SAMPLER: 'parentbased_always_off' };
    const { spans, record, answer } = await checkTraced({ env });
    expect(spans).toEqual([]);
    expect(record.traceId).toBeUndefined();
    expect(JSON.parse(answer.body)).not.toHaveProperty('trace_id');
  });
});

describe('parts', () => {
  const asking = (credential: string): Asked => ({ lines: [['x-api-key', credential]] });
  const token: Asked = { lines: [['authorization', 'Bearer aaaa.bbbb.cccc']] };
  test.each([
    ['a declared key', asking(declared), ['find_workspace', 'take_limits']],
    [
      'a stored key of an owner with custom roles',
      asking(stored),
      ['find_key', 'find_owner', 'find_roles', 'find_workspace'],
    ],
    ['a token', token, ['verify_token']],
    ['no credential', {}, []],
    ['a path that nothing serves', { path: '/nowhere' }, []],
  ])('of %s are those that ran', async (_name, asked, parts) => {
    const { spans } = await checkTraced({ asked, carried: [parent('01')] });
    expect(named(spans)).toEqual([...parts, 'postern.check']);
    const check = last(spans);
    for (const part of spans.slice(0, -1)) {
      expect(part.parentSpanContext?.spanId).toBe(check.spanContext().spanId);
      expect(part.spanContext().traceId).toBe(TRACE);
      expect(nanosecondsOf(part.startTime)).toBeGreaterThanOrEqual(nanosecondsOf(check.startTime));
      expect(nanosecondsOf(part.endTime)).toBeGreaterThanOrEqual(nanosecondsOf(part.startTime));
      expect(nanosecondsOf(part.endTime)).toBeLessThanOrEqual(nanosecondsOf(check.endTime));
    }
  });
});

describe('the span of a check', () => {
  test('tells the decision in words of the policy', async () => {
    const { spans } = await checkTraced({ asked: withKey, carried: [parent('01')] });
    const check = last(spans);
    expect(check.kind).toBe(SpanKind.SERVER);
    expect(check.status).toEqual({ code: SpanStatusCode.UNSET });
    expect(check.attributes).toEqual({
      'rpc.system': 'grpc',
      'rpc.service': 'envoy.service.auth.v3.Authorization',
      'rpc.method': 'Check',
      'http.request.method': 'GET',
      'http.route': 'v1',
      'postern.decision': 'allow',
      'postern.method': 'api_key',
      'postern.plan': 'few',
      'postern.policy': judged.hash,
    });
    expect(check.resource.attributes).toMatchObject({
      'service.name': 'postern',
      'service.version': '1.2.3',
    });
  });

  test('names the reason of a refusal, which is no error', async () => {
    const { spans } = await checkTraced({ carried: [parent('01')] });
    expect(last(spans).attributes).toMatchObject({
      'postern.decision': 'deny',
      'postern.reason': 'missing_credential',
    });
    expect(last(spans).status).toEqual({ code: SpanStatusCode.UNSET });
  });

  test('holds nothing that the client chose', async () => {
    const asked: Asked = {
      method: declared.toUpperCase(),
      path: `/v1/${declared}?api_key=${stored}&user=${USERNAME}`,
      host: `${USERNAME.replace('@', '.')}`,
      lines: [
        ['x-api-key', declared],
        ['tracestate', `vendor=${declared}`],
        ['baggage', `user=${USERNAME}`],
      ],
    };
    const { spans } = await checkTraced({ asked, carried: [parent('01')] });
    const { attributes, name, links, events } = last(spans);
    expect(attributes['http.request.method']).toBe('_OTHER');
    const told = JSON.stringify(spans.map((span) => [span.attributes, span.spanContext()]));
    expect(told.toLowerCase()).not.toMatch(/pst_|mallory|vendor/);
    expect([name, links, events]).toEqual(['postern.check', [], []]);
  });
});

describe('a failure', () => {
  const gone = Object.assign(new Error(`lost ${declared}`), { code: 'ECONNREFUSED' });
  test.each([
    [
      'thrown',
      () => {
        throw gone;
      },
    ],
    ['rejected', () => Promise.reject(gone)],
  ])('of a port, %s, is an error by its kind alone', async (_name, takeLimits) => {
    const { spans, failures, answer } = await checkTraced({
      asked: withKey,
      carried: [parent('01')],
      ports: { takeLimits },
    });
    expect(named(spans)).toEqual(['find_workspace', 'take_limits', 'postern.check']);
    for (const span of spans.slice(1)) {
      expect(span.status).toEqual({ code: SpanStatusCode.ERROR });
      expect(span.attributes['error.type']).toBe('ECONNREFUSED');
    }
    expect(last(spans).attributes['postern.reason']).toBe('unavailable');
    expect(spans[0]?.status.code).toBe(SpanStatusCode.UNSET);
    expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toContain('pst_');
    expect(failures).toEqual([[expect.any(Error), TRACE]]);
    expect(JSON.parse(answer.body)).toMatchObject({ reason: 'unavailable', trace_id: TRACE });
  });

  test('that comes of being late ends with the check', async () => {
    const handled = await checkTraced({
      asked: withKey,
      carried: [parent('01')],
      ports: { takeLimits: () => new Promise(() => {}) },
      budgetMs: 20,
    });
    expect(named(handled.spans)).toEqual(['find_workspace', 'take_limits', 'postern.check']);
    expect(handled.spans[1]?.attributes['error.type']).toBe('PortFailure');
  });

  test('of what is written after the decision is one of the check', async () => {
    let isBroken = true;
    class Messages extends Map<never, string> {
      override get(): undefined {
        if (isBroken) throw new TypeError('no message');
        return undefined;
      }
    }
    const errors = { ...judged.errors, messages: new Messages() };
    const onFailure = () => {
      isBroken = false;
    };
    const change = { policy: () => ({ ...judged, errors }), onFailure };
    const { spans, answer } = await checkTraced({ carried: [parent('01')], change });
    expect(last(spans).status.code).toBe(SpanStatusCode.ERROR);
    expect(last(spans).attributes).toMatchObject({
      'error.type': 'TypeError',
      'postern.reason': 'internal',
    });
    expect(JSON.parse(answer.body)).toMatchObject({ reason: 'internal', trace_id: TRACE });
  });
});

const broken = {
  traceId: TRACE,
  recording: {
    spanId: SPAN,
    ports: (ports: Ports) => ports,
    end: () => {
      throw new Error('no end');
    },
  },
};

test.each([
  [
    'throws',
    () => {
      throw new Error('no trace');
    },
  ],
  ['fails at the end', () => broken],
])('tracing that %s costs no decision', async (_name, trace) => {
  const { answer, failures } = await checkTraced({ asked: withKey, change: { trace } });
  expect(answer.code).toBe(0);
  expect(failures).toHaveLength(1);
});
