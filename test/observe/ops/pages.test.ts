import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ALERTS, type AlertName } from '../../../src/core/alert.ts';
import type { AlertReading } from '../../../src/observe/ops/reading.ts';
import { readElements } from './elements.ts';
import { counted, NOW_MS, type OpsStage, openOpsStage, SOUND, TROUBLED } from './stage.ts';

let stage: OpsStage;

beforeAll(async () => {
  stage = await openOpsStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

beforeEach(() => {
  stage.sources.status = SOUND;
  stage.sources.checks = counted(0);
  stage.sources.alerts = alerts({});
});

const BROWSER = { accept: 'text/html,*/*;q=0.8' };

/** Every alert there is, raised as often as given. */
function alerts(counts: { readonly [name in AlertName]?: number }): readonly AlertReading[] {
  const names = Object.keys(ALERTS) as AlertName[];
  return names.map((name) => {
    const count = counts[name] ?? 0;
    const times = count > 0 ? { firstMs: NOW_MS - 60_000, lastMs: NOW_MS - 1000 } : {};
    return { name, count, suppressed: count * 2, ...times };
  });
}

async function get(path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') {
  const answer = await fetch(`${stage.url}${path}`, { method, headers, redirect: 'manual' });
  const header = (name: string) => answer.headers.get(name);
  return { status: answer.status, header, text: await answer.text() };
}

async function getJson(path: string) {
  const { status, header, text } = await get(path);
  expect([status, header('content-type')]).toEqual([200, 'application/json']);
  return JSON.parse(text);
}

describe('under /monitoring', () => {
  test.each(['/monitoring', '/monitoring/', '/monitoring?x=1'])(
    '%s leads to the status',
    async (path) => {
      const { status, header } = await get(path);
      expect([status, header('location')]).toEqual([303, '/monitoring/status']);
    },
  );

  test.each(['status', 'alerts', 'metrics'])(
    '%s is JSON for programs, kept by nobody',
    async (name) => {
      const { status, header, text } = await get(`/monitoring/${name}`);
      expect([status, header('content-type'), header('vary')]).toEqual([
        200,
        'application/json',
        'accept',
      ]);
      expect([header('cache-control'), header('x-content-type-options')]).toEqual([
        'no-store',
        'nosniff',
      ]);
      expect(JSON.parse(text)).toMatchObject({
        product: 'Acme Gate',
        time: '2026-11-21T12:30:00.000Z',
      });
      const head = await get(`/monitoring/${name}`, {}, 'HEAD');
      expect([head.status, head.text]).toEqual([200, '']);
      expect(head.header('content-length')).toBe(header('content-length'));
      const posted = await get(`/monitoring/${name}`, {}, 'POST');
      expect([posted.status, posted.header('allow')]).toEqual([405, 'GET, HEAD']);
    },
  );

  test.each([
    '/monitoring/nothing',
    '/monitoring/status/',
    '/monitoring/STATUS',
    '//monitoring/status',
    '/monitoringx',
  ])('%s is none', async (path) => {
    const { status, text } = await get(path, BROWSER);
    expect(status).toBe(404);
    expect(JSON.parse(text)).toEqual({
      error: 'NOT_FOUND',
      message: 'See /health, /livez, /readyz, /metrics, /monitoring.',
    });
  });

  test('a format that there is none of is refused', async () => {
    const { status, text } = await get('/monitoring/status?format=xml', BROWSER);
    expect([status, JSON.parse(text).message]).toEqual([400, 'format is html or json.']);
  });

  test('a page stays 200 whatever it tells: /readyz is for machines', async () => {
    stage.sources.status = { ...SOUND, unready: ['draining'] };
    expect(await getJson('/monitoring/status')).toMatchObject({ state: 'down' });
    expect((await get('/readyz')).status).toBe(503);
  });

  test('what cannot be read ends one answer, not the process, and is told of', async () => {
    const { status } = stage.sources;
    Object.defineProperty(stage.sources, 'status', {
      configurable: true,
      get: () => {
        throw new Error('a broken reading');
      },
    });
    expect((await get('/monitoring/status')).status).toBe(500);
    Object.defineProperty(stage.sources, 'status', { value: status, writable: true });
    expect((await get('/monitoring/status')).status).toBe(200);
    expect(stage.failures.splice(0)).toContainEqual(new Error('a broken reading'));
  });
});

describe('JSON', () => {
  test('metrics: the windows, what was counted in them and from when', async () => {
    stage.sources.checks = counted(90, { no_route: 10 });
    const since = '2026-11-21T09:00:00.000Z';
    const window = {
      ...{ since, requests: 100, allowed: 90, refused: 10, replies: 0, reasons: { no_route: 10 } },
      latency_ms: { p50: 0.375, p90: 0.475, p99: 0.498 },
    };
    expect(await getJson('/monitoring/metrics')).toEqual({
      ...{ product: 'Acme Gate', time: '2026-11-21T12:30:00.000Z' },
      ...{ last_hour: window, last_day: window, since_start: window },
    });
  });

  test('metrics: no latency where nobody asked', async () => {
    const none = { p50: null, p90: null, p99: null };
    expect(await getJson('/monitoring/metrics')).toMatchObject({ last_hour: { latency_ms: none } });
  });

  test('alerts: every name there is, with counts and times alone', async () => {
    stage.sources.alerts = alerts({ new_country: 2 });
    const { alerts: told } = await getJson('/monitoring/alerts');
    expect(told.map(({ alert }: { alert: string }) => alert)).toEqual(Object.keys(ALERTS));
    for (const one of told) {
      const raised = one.alert === 'new_country';
      expect(one).toEqual({
        alert: one.alert,
        ...ALERTS[one.alert as AlertName],
        ...{ count: raised ? 2 : 0, suppressed: raised ? 4 : 0 },
        first: raised ? '2026-11-21T12:29:00.000Z' : null,
        last: raised ? '2026-11-21T12:29:59.000Z' : null,
      });
    }
  });

  test('status: the last hour and the alerts stand beside the components', async () => {
    stage.sources.alerts = alerts({ sensitive_route: 3 });
    stage.sources.checks = counted(7);
    expect(await getJson('/monitoring/status')).toMatchObject({
      state: 'ok',
      last_hour: { requests: 7 },
      alerts: { sensitive_route: 3, new_country: 0 },
    });
  });
});

describe('HTML', () => {
  test.each(['status', 'alerts'])(
    '%s is a page of one file that runs and loads nothing',
    async (name) => {
      stage.sources.status = TROUBLED;
      stage.sources.alerts = alerts({ new_country: 2 });
      const { status, header, text } = await get(`/monitoring/${name}`, BROWSER);
      expect([status, header('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      const style = /<style>([^<]*)<\/style>/.exec(text)?.[1] ?? '';
      const digest = createHash('sha256').update(style).digest('base64');
      expect(header('content-security-policy')).toBe(
        `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      );
      expect(header('x-content-type-options')).toBe('nosniff');
      expect(text).not.toMatch(/<script|<img|<link|<iframe|\son\w+=|\sstyle=|url\(|@import/i);
      const links = readElements(text).filter(({ attributes }) => 'href' in attributes);
      expect(links.map(({ attributes }) => attributes['href'])).toEqual([
        'status',
        'alerts',
        'metrics',
      ]);
    },
  );

  test('status has a heading, a section for all there is, and scopes for every heading of a table', async () => {
    stage.sources.status = TROUBLED;
    stage.sources.checks = counted(1000, { rate_limited: 40, blocked: 10 });
    stage.sources.alerts = alerts({ new_country: 2 });
    const elements = readElements((await get('/monitoring/status', BROWSER)).text);
    const texts = (name: string) =>
      elements.filter(({ path }) => path.endsWith(` ${name}`)).map(({ text }) => text);
    expect(texts('title')).toEqual(['Acme Gate: degraded']);
    expect(texts('h1')).toEqual(['Acme Gate']);
    expect(texts('h2')).toEqual([
      'Last hour',
      'Components',
      'Servers of the store',
      'Key sets of issuers',
      'Sinks of the audit',
      'Warnings about the wiring',
      'Alerts since the start',
    ]);
    expect(texts('section dl div')).toEqual([
      'Requests1,050',
      'Allowed1,000',
      'Refused4.8 %',
      'Half within0.375 ms',
      '99 % within0.498 ms',
    ]);
    const headings = elements.filter(({ path }) => path.endsWith(' th'));
    for (const { attributes } of headings) expect(attributes['scope']).toMatch(/^(?:row|col)$/);
    const rows = headings.filter(({ attributes }) => attributes['scope'] === 'row');
    expect(rows.map(({ text }) => text)).toEqual([
      ...['rate_limited', 'blocked'],
      ...[
        'Gate',
        'Management API',
        'Store',
        'Policy',
        'Key sets',
        'Certificate',
        'Audit',
        'Wiring of Envoy',
      ],
      ...['redis-0.redis:6379', 'redis-1.redis:6379', 'https://id.example.com', 'partners'],
      ...['stdout', 'webhook', 'long_timeout', ALERTS.new_country.title],
    ]);
    const times = elements.filter(({ path }) => path.endsWith(' time'));
    expect(times.length).toBeGreaterThan(20);
    for (const { attributes, text } of times) {
      const iso = attributes['datetime'] ?? '';
      expect(new Date(iso).toISOString()).toBe(iso);
      expect(text).toBe(`${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`);
    }
  });

  test('reads itself again, and says its language and its width', async () => {
    const { text } = await get('/monitoring/status', BROWSER);
    expect(text).toContain('<html lang="en">');
    expect(text).toContain('<meta http-equiv="refresh" content="15">');
    expect(text).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
  });

  test('alerts tells each of them, and no names', async () => {
    stage.sources.alerts = alerts({ failures_from_source: 1234 });
    const { text } = await get('/monitoring/alerts', BROWSER);
    const elements = readElements(text);
    const rows = elements.filter(({ path }) => path.endsWith('tbody tr'));
    expect(rows).toHaveLength(Object.keys(ALERTS).length);
    expect(rows[0]?.text).toBe(
      `${ALERTS.failures_from_source.title}failures_from_sourcemedium1,2342,4682026-11-21 12:29:00 UTC2026-11-21 12:29:59 UTC`,
    );
  });

  test('every value of the policy is escaped', async () => {
    const evil = `<script>alert("1")</script>'&amp;`;
    stage.sources.status = {
      ...TROUBLED,
      product: evil,
      version: evil,
      unready: [evil],
      policy: { ...TROUBLED.policy, hash: evil },
      store: {
        ...TROUBLED.store,
        kind: evil,
        nodes: [{ node: evil, breaker: 'open', sinceMs: 0 }],
      },
      keySets: [{ issuer: evil, status: 'failed', keys: 0 }],
      audit: [{ sink: evil, dropped: 0 }],
    };
    stage.sources.checks = counted(0, { [evil]: 1 });
    for (const name of ['status', 'alerts']) {
      const { text } = await get(`/monitoring/${name}`, BROWSER);
      expect(text).not.toContain('<script');
      expect(text).not.toContain(evil);
      const [title] = readElements(text).filter(({ path }) => path.endsWith(' h1'));
      expect(title?.text).toBe('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;amp;');
    }
  });
});
