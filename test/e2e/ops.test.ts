import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DENIALS } from '../../src/core/decision.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { sign } from '../jwt/tokens.ts';
import { messageOf } from './messages.ts';
import { mint, policyText } from './policy.ts';
import { openRawClient, type RawClient } from './raw-client.ts';

const key = mint();
const SECRET = 'a shared secret for the operations test';
let postern: Postern;
let client: RawClient;

beforeAll(async () => {
  const policy = {
    product: 'Acme Gate',
    plans: { few: { per_day: 2 } },
    api_keys: { declared: [{ id: 'one', username: 'ada', hash: key.hash }] },
    issuers: [{ name: 'id', issuer: 'https://id.example.com', secret: SECRET, audience: 'api' }],
    routes: [
      { name: 'few', path: '/few', access: ['api_key'], plan: 'few' },
      { name: 'v1', path: '/v1/**', access: ['api_key', 'jwt'] },
    ],
  };
  postern = await startPostern({ policy: policyText(policy) });
  client = openRawClient(postern.checkAddress);
});

afterAll(async () => {
  client?.close();
  await postern?.kill();
});

async function page(path: string, method = 'GET') {
  const response = await fetch(`${postern.opsUrl}${path}`, { method });
  const type = response.headers.get('content-type');
  return { status: response.status, type, body: await response.text() };
}

describe('pages', () => {
  test.each([
    ['/health', 200, '{"status":"ok","product":"Acme Gate"}'],
    ['/health?verbose=1', 200, '{"status":"ok","product":"Acme Gate"}'],
    ['/livez', 200, '{"status":"ok"}'],
    ['/readyz', 200, '{"status":"ok","store":{"kind":"memory","state":"up"}}'],
  ])('%s', async (path, status, body) => {
    expect(await page(path)).toEqual({ status, type: 'application/json', body });
    expect(await page(path, 'HEAD')).toMatchObject({ status, body: '' });
    expect((await page(path, 'POST')).status).toBe(405);
  });

  test.each(['/', '/nowhere', '/health/', '/HEALTH', '/metrics/x', '/..%2fmetrics', '//metrics'])(
    '%s is none',
    async (path) => {
      const { status, body } = await page(path);
      expect(status).toBe(404);
      expect(JSON.parse(body)).toMatchObject({ error: 'NOT_FOUND' });
    },
  );

  test('a request that is no request harms nobody', async () => {
    const port = Number(new URL(postern.opsUrl).port);
    const statuses = await Promise.all(
      ['*', '', '/metrics HTTP/9.9\r\nx: y', '/%'].map(
        (path) =>
          new Promise<number>((resolve) => {
            const sent = request({ port, host: '127.0.0.1', method: 'OPTIONS' }, (response) => {
              response.resume();
              resolve(response.statusCode ?? 0);
            });
            Object.defineProperty(sent, 'path', { value: path });
            sent.on('error', () => resolve(400));
            sent.end();
          }),
      ),
    );
    for (const status of statuses) expect(status).toBeGreaterThanOrEqual(400);
    expect((await page('/livez')).status).toBe(200);
  });
});

type Sample = { readonly name: string; readonly labels: readonly (readonly [string, string])[] };

/** Reads the text format of Prometheus; throws at the first line that is none of it. */
function parseMetrics(text: string): readonly Sample[] {
  const declared = new Set<string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (\S+) (?:counter|gauge|histogram|summary)$/.exec(line)?.[1];
    if (type !== undefined) {
      expect(declared).not.toContain(type);
      declared.add(type);
      continue;
    }
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|NaN|[+-]Inf)$/.exec(line);
    if (!parts) throw new Error(`no metric: ${line}`);
    const pairs = [...(parts[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy)];
    const labels = pairs.map(([, name = '', value = '']) => [name, value] as const);
    samples.push({ name: parts[1] ?? '', labels });
  }
  return samples;
}

describe('/metrics', () => {
  const marker = `mallory${randomBytes(6).toString('hex')}`;

  /** Requests in which everything that a client can choose holds the marker. */
  async function drive(): Promise<void> {
    const token = (claims: object) => sign(claims, new TextEncoder().encode(SECRET));
    const claims = { sub: marker, aud: 'api', plan: marker, azp: marker, exp: 4_000_000_000 };
    const bearer = async (more: object) =>
      [['authorization', `Bearer ${await token({ ...claims, ...more })}`]] as const;
    const asked = [
      { path: `/${marker}` },
      { path: `/v1/${marker}?${marker}` },
      { method: marker.toUpperCase() },
      { host: `${marker}.example.com` },
      { lines: [['x-api-key', `pst_${marker}`]] as const },
      { lines: [['x-request-id', marker]] as const },
      { lines: await bearer({ iss: marker }) },
      { lines: await bearer({ iss: 'https://id.example.com' }) },
      { lines: await bearer({ iss: 'https://id.example.com', aud: marker }) },
      { path: '/v1/../x' },
      ...Array.from({ length: 4 }, () => ({
        path: '/few',
        lines: [['x-api-key', key.raw]] as const,
      })),
    ];
    for (const one of asked) await client.check(messageOf(one));
    await client.check(Buffer.from(marker));
  }

  test('is text of Prometheus, every name ours', async () => {
    await drive();
    const { status, type, body } = await page('/metrics');
    expect([status, type]).toEqual([200, expect.stringMatching(/^text\/plain; version=0\.0\.4/)]);
    const samples = parseMetrics(body);
    expect(samples.filter(({ name }) => !name.startsWith('postern_'))).toEqual([]);
    const names = new Set(samples.map(({ name }) => name));
    for (const name of [
      'postern_checks_total',
      'postern_check_duration_seconds_bucket',
      'postern_limit_takes_total',
      'postern_policy_last_reload_successful',
      'postern_build_info',
      'postern_nodejs_eventloop_lag_seconds',
      'postern_audit_dropped',
    ]) {
      expect(names).toContain(name);
    }
  });

  test('its labels hold nothing that a client sent', async () => {
    await drive();
    const { body } = await page('/metrics');
    expect(body).not.toContain(marker);
    const checks = parseMetrics(body).filter(({ name }) => name === 'postern_checks_total');
    const known = {
      route: ['', 'few', 'v1'],
      decision: ['allow', 'deny', 'reply'],
      reason: ['', ...Object.keys(DENIALS)],
    } as const;
    expect(checks.length).toBeGreaterThan(5);
    for (const { labels } of checks) {
      expect(labels.map(([name]) => name).sort()).toEqual(['decision', 'reason', 'route']);
      for (const [name, value] of labels)
        expect(known[name as keyof typeof known]).toContain(value);
    }
  });

  test('ten thousand different clients make it no longer', async () => {
    // Node's own metrics name kinds of resources and collections as they come.
    const linesNow = async () =>
      parseMetrics((await page('/metrics')).body).filter(({ name }) => !/nodejs|process/.test(name))
        .length;
    await drive();
    const before = await linesNow();
    for (let wave = 0; wave < 20; wave += 1) {
      const asked = Array.from({ length: 500 }, (_, at) => ({
        path: `/v1/${wave}/${at}`,
        method: `M${wave}X${at}`,
        host: `h${wave}-${at}.example.com`,
        address: `10.1.${wave}.${at % 256}`,
        lines: [['x-api-key', `pst_${wave}_${at}`]] as const,
      }));
      await Promise.all(asked.map((one) => client.check(messageOf(one))));
    }
    expect(await linesNow()).toBeLessThanOrEqual(before + 1);
  });
});
