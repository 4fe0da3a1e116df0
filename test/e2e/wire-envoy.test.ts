import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type HeaderLine, send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { mint, policyText } from './policy.ts';

const key = mint();
const old = mint();
const CREDENTIAL: HeaderLine = ['X-Api-Key', key.raw];

const POLICY = policyText({
  scopes: { 'docs:write': 'Write.' },
  plans: { one: { per_day: 1 }, trial: { quota: { requests: 1, per: 'month' } } },
  errors: { messages: { insufficient_scope: `Ask for it. ${'ä'.repeat(400)}` } },
  api_keys: {
    read_from: [{ header: 'x-api-key' }, { query: 'api_key' }],
    declared: [
      { id: 'one', hash: key.hash },
      { id: 'old', hash: old.hash, expires_at: '2020-01-01T00:00:00Z' },
    ],
  },
  defaults: { access: ['api_key'] },
  routes: [
    { name: 'limited', path: ['/limited', '/pkg.Svc/Limited'], plan: 'one' },
    { name: 'quota', path: '/pkg.Svc/Quota', plan: 'trial' },
    { name: 'scoped', path: ['/scoped', '/pkg.Svc/Scoped'], scopes: ['docs:write'] },
    { name: 'files', path: '/files/**', path_allow: ['encoded_slash', 'semicolon'] },
    { name: 'public', path: '/public/**', access: 'public' },
    { name: 'all', path: '/v1/**' },
    { name: 'rpc', path: '/pkg.Svc/*' },
  ],
});

let postern: Postern;
let upstream: Upstream;
let envoy: RunningEnvoy;

beforeAll(async () => {
  postern = await startPostern({ policy: POLICY });
  upstream = await startUpstream();
});

afterAll(async () => {
  await envoy?.stop();
  await postern?.kill();
  await upstream?.stop();
});

describeEnvoy('a request target, through an Envoy without edge rules for paths', () => {
  beforeAll(async () => {
    await envoy?.stop();
    envoy = await startEnvoy({
      checkAddress: postern.checkAddress,
      upstreamPort: upstream.port,
      edge: false,
    });
  });

  /** What the upstream got, or the status of the refusal and how often the upstream was asked. */
  async function ask(target: string, headers: readonly HeaderLine[] = [CREDENTIAL]) {
    upstream.clear();
    const { status } = await send({ port: envoy.port, target, headers });
    return status === 200 ? upstream.last().target : [status, upstream.requests.length];
  }

  test.each([
    '/v1/x',
    '/v1',
    '/v1/',
    '/v1/x?',
    '/v1/x?a=/../../public&b=%2f%00;//',
    '/v1/a%20b',
    '/v1/%C3%A9',
    "/v1/~!$&'()*+,=:@-._",
    '/v1/...',
    '/v1/.hidden/x..y',
    '/v1/100%25',
    '/files/a%2fb',
    '/files/a;v=1/b',
  ])('%j reaches the upstream as it was sent', async (target) => {
    expect(await ask(target)).toBe(target);
  });

  test('a key in the query is taken out, and nothing else changes', async () => {
    const path = '/v1/x%20y';
    const target = `${path}?b=%7e&A%50i_key=1&api_key=${key.raw}&a=1+2&&c`;
    expect(await ask(target, [])).toBe(`${path}?b=%7e&a=1+2&&c`);
  });

  test.each([
    '/v1//x',
    '//v1/x',
    '/v1/x//',
    '/v1/./x',
    '/v1/../v1/x',
    '/v1/..',
    '/public/../v1/x',
    '/public/..;/v1/x',
    '/public/;/../v1/x',
    '/public/%2e%2e/v1/x',
    '/public/.%2E/v1/x',
    '/public%2f..%2fv1/x',
    '/public%2F%2e%2e%2fv1',
    '/public/%252e%252e/v1/x',
    '/public%252f..%252fv1/x',
    '/public\\..\\v1\\x',
    '/public/..\\v1/x',
    '/public%5c..%5cv1',
    '/public/%255c../v1',
    '/v1/x%00',
    '/v1/x%2500.png',
    '/v1/x%',
    '/v1/x%4',
    '/v1/x%zz',
    '/v1/x%u002e',
    '/v1/x%c0%ae%c0%ae',
    '/v1/x%ff',
    '/v1/x%ed%a0%80',
    '/v1/x%0d%0aset-cookie:a',
    '/v1/x%250d%250a',
    '/v1/x;jsessionid=1',
    '/v1/x%3b',
    '/v1;/x',
    '/v1/\u00e9',
    '/v1/\u0080',
    '/files/a%2f..%2f..%2fv1/x',
    '/files/..;/v1/x',
    '/files/%2e%2e/v1/x',
    '/files//x',
    'v1/x',
    '*',
    '',
  ])('%j is refused', async (target) => {
    expect(await ask(target)).toEqual([400, 0]);
  });

  test.each([
    ['/v1/x#/../public', '/v1/x'],
    ['/v1/x?a#b', '/v1/x?a'],
  ])('%j: what Envoy itself cuts off reaches nobody', async (target, rest) => {
    const outcome = await ask(target);
    if (typeof outcome === 'string') expect(outcome).toBe(rest);
    else expect(outcome).toEqual([400, 0]);
  });

  test.each([
    ['/public/x', '/public/x'],
    ['/PUBLIC/x', [403, 0]],
    ['/publicx', [403, 0]],
    ['/public%2fx', [400, 0]],
    ['/%70ublic/x', [400, 0]],
    ['/v1%2f..%2fpublic/x', [400, 0]],
    ['/v1/x?/public', [401, 0]],
    ['/v1%3f/../public/x', [400, 0]],
    ['/v1%3fpublic', [400, 0]],
    ['http://api.example.com/v1/x', [401, 0]],
    ['http://api.example.com/public/../v1/x', [400, 0]],
  ])('%j without a credential: %j', async (target, outcome) => {
    expect(await ask(target, [])).toEqual(outcome);
  });

  test.each(['TRACE', 'CONNECT', 'PROPFIND', 'get', 'G(T'])(
    'the method %s opens nothing without a credential',
    async (method) => {
      upstream.clear();
      const headers: readonly HeaderLine[] = [['Content-Length', '0']];
      const answer = send({ port: envoy.port, method, target: '/v1/x', headers });
      const { status } = await answer.catch(() => ({ status: 400 }));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(upstream.requests).toHaveLength(0);
    },
  );

  test.each([
    ['X_Auth_Username', 'mallory'],
    ['x-auth_username', 'mallory'],
    ['X-AUTH-ANYTHING', 'mallory'],
  ])('a forged %s does not reach the upstream', async (name, value) => {
    for (const target of ['/v1/x', '/public/x']) {
      expect(await ask(target, [CREDENTIAL, [name, value]])).toBe(target);
      expect(JSON.stringify(upstream.last().lines)).not.toContain(value);
    }
  });

  test.each([
    'x-auth-username, close',
    'close, x-auth-username, x-auth-method',
    'X-Auth-Key-Id, close',
  ])('Connection: %s does not take identity away', async (connection) => {
    const outcome = await ask('/v1/x', [CREDENTIAL, ['Connection', connection]]);
    if (outcome !== '/v1/x') return expect(outcome).toEqual([400, 0]);
    expect(upstream.last().header('x-auth-username')).toBe('one');
    expect(upstream.last().header('x-auth-key-id')).toBe('one');
  });
});

describeEnvoy('a gRPC client', () => {
  let client: Client;

  beforeAll(async () => {
    await envoy?.stop();
    const checkAddress = postern.checkAddress;
    envoy = await startEnvoy({ checkAddress, upstreamPort: upstream.port });
    client = new Client(`127.0.0.1:${envoy.port}`, credentials.createInsecure());
  });

  afterAll(() => client?.close());

  function call(method: string, raw?: string): Promise<Partial<ServiceError>> {
    const metadata = new Metadata();
    if (raw !== undefined) metadata.set('x-api-key', raw);
    const asIs = (bytes: Buffer) => bytes;
    const path = `/pkg.Svc/${method}`;
    return new Promise((resolve) => {
      client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), metadata, (cause) =>
        resolve(cause ?? {}),
      );
    });
  }

  test.each([
    ['Any', undefined, [16, 'missing_credential', 'No credential was sent']],
    ['Any', old.raw, [16, 'key_expired', 'The API key has expired']],
    ['Scoped', key.raw, [7, 'insufficient_scope', 'Ask for it.']],
    ['A/B', key.raw, [7, 'no_route', 'Nothing is served']],
    ['A;b', key.raw, [3, 'ambiguous_path', 'The path can be read']],
  ])('that calls %s hears why it is refused', async (method, raw, [code, reason, message]) => {
    const refusal = await call(method, raw);
    expect(refusal).toMatchObject({ code, details: expect.stringMatching(`^${message}`) });
    expect(refusal.metadata?.get('x-postern-reason')).toEqual([reason]);
    expect(Buffer.byteLength(refusal.details ?? '')).toBeLessThanOrEqual(512);
    expect(refusal.details).not.toContain('\ufffd');
  });

  test.each([
    ['a limit', 'Limited', 'rate_limited'],
    ['a quota', 'Quota', 'quota_exhausted'],
  ])(
    'hears of %s as RESOURCE_EXHAUSTED, which is not retried at once',
    async (_n, method, reason) => {
      await call(method, key.raw);
      const refusal = await call(method, key.raw);
      expect(refusal).toMatchObject({ code: 8 });
      expect(refusal.metadata?.get('x-postern-reason')).toEqual([reason]);
      expect(refusal.metadata?.get('x-ratelimit-remaining')).toEqual(['0']);
    },
  );
});

describeEnvoy('a Postern that takes its time', () => {
  const server = new Server();

  afterAll(() => server.forceShutdown());

  test('is waited for as long as the call may take, not as long as a pause between tries', async () => {
    const asIs = (bytes: Buffer) => bytes;
    const codec = { requestSerialize: asIs, requestDeserialize: asIs };
    const manners = { requestStream: false, responseStream: false, ...codec };
    const path = '/envoy.service.auth.v3.Authorization/Check';
    const method = { path, ...manners, responseSerialize: asIs, responseDeserialize: asIs };
    // An answer without a status is an allow.
    server.addService(
      { Check: method },
      {
        Check: (_call: unknown, answer: (cause: null, bytes: Buffer) => void) =>
          setTimeout(answer, 100, null, Buffer.alloc(0)),
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (cause, bound) =>
        cause ? reject(cause) : resolve(bound),
      );
    });
    await envoy?.stop();
    const checkAddress = `127.0.0.1:${port}`;
    envoy = await startEnvoy({
      checkAddress,
      upstreamPort: upstream.port,
      checkTimeout: undefined,
    });
    expect(await send({ port: envoy.port, target: '/' })).toMatchObject({ status: 200 });
  });
});
