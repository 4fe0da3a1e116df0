import { describe, expect, test } from 'vitest';
import { ALERTS, type AlertName, alertEvent } from '../../../src/core/alert.ts';
import { decisionFacts, maskEvent } from '../../../src/core/audit.ts';
import { DENIALS, deny, type Reason } from '../../../src/core/decision.ts';
import type { AuditEvent } from '../../../src/core/records.ts';
import { type Entry, writeEntry } from '../../../src/observe/audit/format.ts';
import { createRecorder, type RecorderOptions } from '../../../src/observe/audit/recorder.ts';
import {
  decide,
  NOW,
  type PolicySpec,
  policy,
  type RequestSpec,
  rawKey,
  request,
} from '../../core/build.ts';
import { envelopeFaults, ocsfFaults } from './ocsf-schema.ts';

type Json = { readonly [name: string]: unknown };

const RAW = rawKey();
const ORIGIN = { product: 'Shop', instance: 'pod-1', version: '1.2.3' };
const SPEC: PolicySpec = {
  product: 'Shop',
  prefixes: { pst_: { environment: 'live' } },
  browser: 'flag',
  keys: [{ raw: RAW, id: 'k1', username: 'ada', owner: 'u1', workspace: 'w', plan: 'pro' }],
  plans: { pro: { per_minute: 9 } },
  routes: [
    { name: 'keys', path: '/keys/**', access: ['api_key'] },
    { name: 'open', path: '/open', access: 'public' },
    { name: 'safe', path: '/safe', access: ['api_key'], httpsOnly: true },
    { name: 'cors', path: '/cors', access: ['api_key'], cors: { origins: ['a.com'] } },
  ],
};
const MASKED: PolicySpec = { ...SPEC, mask: { username: true, address: true } };
const ASKED: RequestSpec = { path: '/keys/7', bearer: RAW, address: '203.0.113.9' };
const mask = (value: string) => `masked:${value.length}`;

/** What the recorder makes of a request, as it is written. */
async function entriesOf(spec: PolicySpec, asked: RequestSpec, refusal?: Reason, traceId?: string) {
  const judged = policy(spec);
  const found = await decide(judged, asked);
  const decision = refusal ? { ...found, ...deny('shell', refusal) } : found;
  const entries: Entry[] = [];
  const nothing = () => {};
  const metrics = new Proxy({}, { get: () => nothing }) as RecorderOptions['metrics'];
  const store = { recordEvent: nothing, recordUse: nothing };
  const audit = { tell: (entry: Entry) => void entries.push(entry), keep: async () => true };
  let ids = 0;
  const makeId = () => {
    ids += 1;
    return `e${ids}`;
  };
  createRecorder({ metrics, audit, mask, makeId, store })({
    policy: judged,
    request: request(asked),
    decision,
    facts: decisionFacts(judged, decision),
    timeMs: NOW,
    tookMs: 0.4567,
    traceId,
  });
  return entries;
}

function readBoth(entry: Entry): {
  readonly envelope: Json;
  readonly data: Json;
  readonly text: string;
} {
  const text = writeEntry('ocsf', entry, ORIGIN);
  const envelope: Json = JSON.parse(text);
  return { envelope, data: envelope['data'] as Json, text };
}

async function firstOf(...args: Parameters<typeof entriesOf>) {
  const [entry] = await entriesOf(...args);
  if (!entry) throw new Error('nothing was recorded');
  return readBoth(entry);
}

const readEvent = (event: AuditEvent) => readBoth({ kind: 'event', event });

test('an allowed request is API Activity in a CloudEvents envelope', async () => {
  const { envelope } = await firstOf(SPEC, ASKED);
  expect(envelope).toEqual({
    specversion: '1.0',
    id: 'e1',
    source: '/postern/Shop/pod-1',
    type: 'dev.postern.check.allowed',
    subject: request(ASKED).id,
    time: '2026-08-15T12:30:30.250Z',
    datacontenttype: 'application/json',
    data: {
      class_uid: 6003,
      category_uid: 6,
      activity_id: 2,
      activity_name: 'Read',
      type_uid: 600302,
      time: NOW,
      severity_id: 1,
      severity: 'Informational',
      message: 'A request was allowed',
      metadata: {
        version: '1.8.0',
        uid: 'e1',
        event_code: 'check',
        product: { name: 'Postern', vendor_name: 'Postern', version: '1.2.3' },
        log_name: 'audit',
        correlation_uid: request(ASKED).id,
        profiles: ['security_control'],
      },
      status_id: 1,
      status: 'Success',
      action_id: 1,
      action: 'Allowed',
      disposition_id: 1,
      disposition: 'Allowed',
      policy: { name: 'Shop', uid: 'abc123' },
      actor: {
        user: {
          name: 'ada',
          uid: 'u1',
          credential_uid: 'k1',
          type_id: 99,
          type: 'api_key',
          account: { uid: 'w', type_id: 99, type: 'workspace' },
        },
      },
      api: {
        operation: 'GET keys',
        service: { name: 'Shop' },
        request: { uid: request(ASKED).id },
      },
      src_endpoint: { ip: '203.0.113.9' },
      dst_endpoint: { hostname: request(ASKED).host },
      http_request: {
        uid: request(ASKED).id,
        http_method: 'GET',
        url: { hostname: request(ASKED).host, path: '/keys/7' },
      },
      unmapped: {
        decision: 'allow',
        route: 'keys',
        plan: 'pro',
        environment: 'live',
        took_us: 457,
      },
    },
  });
});

test('the check of the schema finds what is missing, and numbers that there are not', async () => {
  const { data } = await firstOf(SPEC, ASKED);
  for (const name of ['time', 'metadata', 'actor', 'api', 'src_endpoint', 'severity_id']) {
    expect(ocsfFaults({ ...data, [name]: undefined })).toContain(`no ${name}`);
  }
  expect(ocsfFaults({ ...data, disposition_id: 98 })).not.toEqual([]);
  expect(ocsfFaults({ ...data, src_endpoint: {} })).not.toEqual([]);
  expect(ocsfFaults({ ...data, trace: { uid: 'x' } })).not.toEqual([]);
  expect(ocsfFaults({ ...data, type_uid: 600301 })).not.toEqual([]);
});

test('a credential that is refused is Authentication', async () => {
  const { envelope, data } = await firstOf(SPEC, { path: '/keys/7', bearer: rawKey('pst_', 2) });
  expect(envelope['type']).toBe('dev.postern.check.refused');
  expect(data).toMatchObject({
    class_uid: 3002,
    type_uid: 300201,
    status_id: 2,
    status_code: 'unknown_key',
    severity_id: 2,
    auth_protocol_id: 99,
    auth_protocol: 'API key',
    http_response: { code: 401 },
  });
});

test.each([
  ['POST', 1],
  ['GET', 2],
  ['HEAD', 2],
  ['PUT', 3],
  ['PATCH', 3],
  ['DELETE', 4],
  ['PURGE', 99],
])('%s is activity %i', async (method, id) => {
  const { data } = await firstOf(SPEC, { ...ASKED, method });
  expect(data).toMatchObject({ activity_id: id, type_uid: 600300 + id });
  expect(ocsfFaults(data)).toEqual([]);
});

test.each(Object.keys(DENIALS) as Reason[])(
  '%s keeps to the schema, masked or not',
  async (reason) => {
    for (const spec of [SPEC, MASKED]) {
      const { envelope, data } = await firstOf(spec, ASKED, reason);
      expect(ocsfFaults(data)).toEqual([]);
      expect(envelopeFaults(envelope)).toEqual([]);
      const isLogon = DENIALS[reason].status === 401;
      expect(data).toMatchObject({ class_uid: isLogon ? 3002 : 6003, status_code: reason });
    }
  },
);

test.each([
  ['an anonymous request', { path: '/open' }],
  ['a request without an address', { path: '/open', address: undefined }],
  ['a host that nobody serves', { path: '/', host: '' }],
  ['a preflight', { path: '/cors', method: 'OPTIONS' }],
] as const)('%s keeps to the schema', async (_, asked) => {
  const { envelope, data } = await firstOf(SPEC, asked);
  expect([...ocsfFaults(data), ...envelopeFaults(envelope)]).toEqual([]);
});

test('a trace is its own profile', async () => {
  const traceId = 'ab'.repeat(16);
  const { data } = await firstOf(SPEC, ASKED, undefined, traceId);
  expect(data).toMatchObject({
    trace: { uid: traceId },
    metadata: { profiles: ['security_control', 'trace'] },
  });
  expect(ocsfFaults(data)).toEqual([]);
});

test('a path is the same in both formats: without its query, and without keys', async () => {
  const { text, data } = await firstOf(SPEC, { ...ASKED, path: `/keys/${RAW}?key=${RAW}` });
  expect(data).toMatchObject({ http_request: { url: { path: '/keys/pst_***' } } });
  expect(text).not.toContain(RAW.slice(4, 20));
});

test('what a policy masks is masked', async () => {
  for (const reason of [undefined, 'key_expired', 'blocked'] as const) {
    const { text } = await firstOf(MASKED, ASKED, reason);
    expect(text).not.toMatch(/"ada"|"u1"|203\.0\.113\.9/);
    expect(text).toContain('masked:');
  }
});

describe('a credential in danger is a Detection Finding', () => {
  test('a key over plain http', async () => {
    const [, notice] = await entriesOf(MASKED, { ...ASKED, path: '/safe', scheme: 'http' });
    if (!notice) throw new Error('no notice');
    const { envelope, data, text } = readBoth(notice);
    expect(envelope).toMatchObject({ type: 'dev.postern.key.exposed', subject: 'k1' });
    expect(data).toMatchObject({
      class_uid: 2004,
      severity_id: 4,
      is_alert: true,
      finding_info: { uid: 'e2', types: ['key.exposed'] },
      resources: [{ uid: 'k1', type: 'key' }],
    });
    expect(ocsfFaults(data)).toEqual([]);
    expect(text).not.toContain('203.0.113.9');
    expect(text).not.toContain(RAW);
  });

  test.each(Object.keys(ALERTS) as AlertName[])('the alert %s', (name) => {
    const alert = { name, timeMs: NOW, subject: 's', keyId: 'k1', address: '203.0.113.9' };
    const { data } = readEvent(alertEvent({ ...alert, facts: { route: 'keys' } }, 'e1', 3));
    expect(ocsfFaults(data)).toEqual([]);
    expect(data).toMatchObject({
      class_uid: 2004,
      severity: ALERTS[name].severity.replace(/^./, (letter) => letter.toUpperCase()),
      finding_info: { title: ALERTS[name].title, types: [`alert.${name}`] },
      unmapped: { route: 'keys', suppressed: '3' },
    });
  });
});

describe('a change is Entity Management', () => {
  const base: AuditEvent = {
    ...{ id: 'e1', time: '2026-08-15T12:30:30.250Z', event: 'key.updated', workspace_id: 'w' },
    actor: { kind: 'jwt', id: 'sub-1', username: 'ada' },
    object: { kind: 'key', id: 'k1' },
    request_id: 'r1',
    address: '203.0.113.9',
  };

  test.each([
    ['key.created', {}, 1],
    ['key.imported', {}, 1],
    ['user.updated', { name: 'x' }, 3],
    ['key.rotated', {}, 3],
    ['workspace.deleted', {}, 4],
    ['key.updated', { status: 'active' }, 8],
    ['key.updated', { status: 'disabled' }, 9],
    ['user.updated', { status: 'deactivated' }, 9],
    ['key.revoked', { status: 'revoked' }, 9],
    ['key.expiring', undefined, 99],
  ] as const)('%s to %j is activity %i', (name, after, id) => {
    const { envelope, data } = readEvent({ ...base, event: name, after });
    expect(data).toMatchObject({ class_uid: 3004, activity_id: id, entity: { uid: 'k1' } });
    expect([...ocsfFaults(data), ...envelopeFaults(envelope)]).toEqual([]);
    expect(envelope).toMatchObject({ type: `dev.postern.${name}`, subject: 'k1' });
  });

  test('tells who, from where, and what was before and after', () => {
    const { data } = readEvent({ ...base, before: { plan: 'free' }, after: { plan: 'pro' } });
    expect(data).toMatchObject({
      actor: { user: { uid: 'sub-1', name: 'ada', type: 'jwt' } },
      src_endpoint: { ip: '203.0.113.9' },
      entity: { uid: 'k1', type: 'key', data: { plan: 'free' } },
      entity_result: { uid: 'k1', type: 'key', data: { plan: 'pro' } },
      metadata: { correlation_uid: 'r1' },
    });
  });

  test('of somebody whom the policy masks names nobody', () => {
    const after = { username: 'ada', email: 'ada@x.io', name: 'Ada', created_by: 'bob', plan: 'p' };
    const object = { kind: 'user', id: 'u1' } as const;
    const hidden = maskEvent({ ...base, object, after, before: after }, policy(MASKED), mask);
    const { text } = readEvent(hidden);
    expect(text).not.toMatch(/"(ada|ada@x\.io|Ada|bob|sub-1)"|203\.0\.113\.9/);
    expect(text).toContain('"plan":"p"');
  });
});

test('the lines of standard output are what they were', async () => {
  const entries = await entriesOf(SPEC, { ...ASKED, path: '/safe', scheme: 'http' });
  const lines = entries.map((entry) => writeEntry('postern', entry, ORIGIN));
  const { id } = request(ASKED);
  expect(lines).toEqual([
    `{"id":"e1","time":"2026-08-15T12:30:30.250Z","decision":"deny","reason":"https_required","route":"safe","policy":"abc123","address":"203.0.113.9","http_method":"GET","path":"/safe","host":"${request(ASKED).host}","request_id":"${id}","took_us":457}`,
    `{"id":"e2","event":"key.exposed","time":"2026-08-15T12:30:30.250Z","route":"safe","address":"203.0.113.9","request_id":"${id}","policy":"abc123","key_prefix":"${RAW.slice(0, 6)}","key_id":"k1"}`,
  ]);
});
