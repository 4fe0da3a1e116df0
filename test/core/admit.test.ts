import { describe, expect, test } from 'vitest';
import { decide, NOW, outcomeOf, policy, type RequestSpec, rawKey } from './build.ts';
import type { RouteSpec } from './build-route.ts';

const anonymous = (spec: RouteSpec) => policy({ routes: [{ access: ['anonymous'], ...spec }] });

describe('referers', () => {
  const lax = anonymous({ referers: ['app.example.com', '*.preview.example.com'] });
  const strict = anonymous({
    referers: { allow: ['app.example.com', '*.preview.example.com'], missing: 'deny' },
  });
  const APP = 'https://app.example.com';
  test.each<[Record<string, string>, string, string]>([
    [{}, 'allow', 'referer_not_allowed'],
    [{ referer: `${APP}/page?x` }, 'allow', 'allow'],
    [{ referer: `${APP}/a,b` }, 'allow', 'allow'],
    [{ referer: 'http://app.example.com/' }, 'allow', 'allow'],
    [{ origin: APP }, 'allow', 'allow'],
    [{ origin: 'https://a.preview.example.com' }, 'allow', 'allow'],
    [{ referer: `${APP}/x`, origin: APP }, 'allow', 'allow'],
    [{ referer: `${APP}:443/x`, origin: APP }, 'allow', 'allow'],
    [{ referer: 'https://evil.com/' }, 'referer_not_allowed', 'referer_not_allowed'],
    [
      { referer: 'https://evil.com/?https://app.example.com/' },
      'referer_not_allowed',
      'referer_not_allowed',
    ],
    [{ origin: 'https://evil.com' }, 'referer_not_allowed', 'referer_not_allowed'],
    [
      { referer: `${APP}/`, origin: 'https://evil.com' },
      'referer_not_allowed',
      'referer_not_allowed',
    ],
    [{ referer: 'https://evil.com/', origin: APP }, 'referer_not_allowed', 'referer_not_allowed'],
    [
      { referer: `${APP}/`, origin: 'http://app.example.com' },
      'referer_not_allowed',
      'referer_not_allowed',
    ],
    [
      { referer: `${APP}/`, origin: 'https://a.preview.example.com' },
      'referer_not_allowed',
      'referer_not_allowed',
    ],
    [{ referer: `${APP}/`, origin: 'null' }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: `${APP}/`, origin: '' }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: `${APP}/`, origin: `${APP}/` }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: 'null' }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: 'null', origin: APP }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: '' }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: '', origin: APP }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ origin: 'null' }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: 'about:blank' }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: 'https:app.example.com' }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: `${APP}@evil.com/` }, 'referer_not_allowed', 'referer_not_allowed'],
    [
      { referer: 'https://evil.com\\@app.example.com/' },
      'referer_not_allowed',
      'referer_not_allowed',
    ],
    [{ referer: `blob:${APP}/x` }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: 'https://app\uff0eexample.com/' }, 'referer_not_allowed', 'referer_not_allowed'],
    [{ referer: 'https://app.example.com./' }, 'referer_not_allowed', 'referer_not_allowed'],
  ])('%j: %s, and with missing: deny %s', async (headers, expected, whenDenied) => {
    expect(await outcomeOf(lax, { headers })).toBe(expected);
    expect(await outcomeOf(strict, { headers })).toBe(whenDenied);
  });
});

describe('https_only', () => {
  const judged = anonymous({ httpsOnly: true });
  test.each<[string, string | readonly string[] | undefined, string]>([
    ['https', 'https', 'allow'],
    ['https', 'http, https', 'allow'],
    ['https', 'http,https', 'allow'],
    ['https', ['http', 'https'], 'allow'],
    ['https', 'https, http', 'https_required'],
    ['https', ['https', 'http'], 'https_required'],
    ['https', 'http', 'https_required'],
    ['https', undefined, 'https_required'],
    ['https', '', 'https_required'],
    ['https', 'https,', 'https_required'],
    ['http', 'https', 'https_required'],
    ['http', 'http', 'https_required'],
    ['', 'https', 'https_required'],
  ])('scheme %j and x-forwarded-proto %j: %s', async (scheme, forwarded, expected) => {
    const headers: RequestSpec['headers'] =
      forwarded === undefined ? {} : { 'x-forwarded-proto': forwarded };
    expect(await outcomeOf(judged, { scheme, headers })).toBe(expected);
  });

  test('a key that came over plain http is named, but not shown', async () => {
    const raw = rawKey();
    const one = policy({ keys: [{ raw, id: 'k1' }], routes: [{ httpsOnly: true }] });
    const decision = await decide(one, { scheme: 'http', bearer: raw });
    expect(decision).toMatchObject({
      reason: 'https_required',
      exposedKey: { shown: raw.slice(0, 6), id: 'k1' },
    });
    expect(JSON.stringify(decision)).not.toContain(raw.slice(0, 12));
    const bare = await decide(one, { scheme: 'http' });
    expect(bare.exposedKey).toBeUndefined();
  });
});

describe('addresses', () => {
  const judged = anonymous({ ips: ['192.0.2.0/24', '2001:db8::/32', '198.51.100.7'] });
  test.each([
    ['192.0.2.1', 'allow'],
    ['192.0.2.255', 'allow'],
    ['192.0.3.0', 'ip_not_allowed'],
    ['198.51.100.7', 'allow'],
    ['198.51.100.8', 'ip_not_allowed'],
    ['::ffff:192.0.2.9', 'allow'],
    ['::ffff:c000:209', 'allow'],
    ['64:ff9b::192.0.2.9', 'ip_not_allowed'],
    ['2002:c000:209::', 'ip_not_allowed'],
    ['2001:db8:ffff::1', 'allow'],
    ['2001:db9::', 'ip_not_allowed'],
    [undefined, 'ip_not_allowed'],
  ])('%s: %s', async (address, expected) => {
    expect(await outcomeOf(judged, { address })).toBe(expected);
  });
});

describe('blocks', () => {
  const raw = rawKey();
  const judged = policy({
    keys: [{ raw, id: 'k1', username: 'ada', workspace: 'acme' }],
    blocks: [
      { ip: '192.0.2.0/24' },
      { ip: '198.51.100.1', until: new Date(NOW).toISOString() },
      { ip: '198.51.100.2', until: new Date(NOW + 1).toISOString() },
    ],
    routes: [
      { path: '/p', access: 'public' },
      { path: '/k' },
      { path: '/s', access: 'public', httpsOnly: true },
    ],
  });
  test.each<[RequestSpec, string]>([
    [{ path: '/p', address: '192.0.2.1' }, 'blocked'],
    [{ path: '/p', address: '::ffff:192.0.2.1' }, 'blocked'],
    [{ path: '/k', address: '192.0.2.1' }, 'blocked'],
    [{ path: '/none', address: '192.0.2.1' }, 'blocked'],
    [{ path: '/s', scheme: 'http', address: '192.0.2.1' }, 'blocked'],
    [{ path: '/p', address: '192.0.3.1' }, 'allow'],
    [{ path: '/p', address: '198.51.100.1' }, 'allow'],
    [{ path: '/p', address: '198.51.100.2' }, 'blocked'],
    [{ path: '/p', address: undefined }, 'blocked'],
  ])('%j: %s', async (asked, expected) => {
    expect(await outcomeOf(judged, asked)).toBe(expected);
  });

  test.each([{ key: 'k1' }, { username: 'ada' }, { workspace: 'acme' }])(
    '%j is blocked',
    async (block) => {
      const ask = (more: { until?: string }) =>
        outcomeOf(
          policy({
            keys: [
              { raw, id: 'k1', username: 'ada', workspace: 'acme', allowed_ips: ['192.0.2.1'] },
            ],
            blocks: [{ ...block, ...more }],
            routes: [{ scopes: ['x:y'] }],
          }),
          { bearer: raw },
        );
      expect(await ask({})).toBe('blocked');
      expect(await ask({ until: new Date(NOW + 1).toISOString() })).toBe('blocked');
      expect(await ask({ until: new Date(NOW).toISOString() })).toBe('ip_not_allowed');
    },
  );

  test.each([{ key: 'ada' }, { username: 'k1' }, { client: 'acme' }, { username: 'ADA' }])(
    '%j blocks nobody else',
    async (block) => {
      const one = policy({
        keys: [{ raw, id: 'k1', username: 'ada', workspace: 'acme' }],
        blocks: [block],
        routes: [{}],
      });
      expect(await outcomeOf(one, { bearer: raw })).toBe('allow');
    },
  );
});

test('the cheap and local restrictions come before credentials, in their order', async () => {
  const fail = () => expect.unreachable('no port is asked');
  const judged = policy({
    routes: [
      {
        httpsOnly: true,
        ips: ['192.0.2.0/24'],
        referers: { allow: ['app.example.com'], missing: 'deny' },
        cors: { origins: ['https://b.example.com'] },
      },
    ],
  });
  const guards = { findKey: fail, verifyToken: fail, findWorkspace: fail, takeLimits: fail };
  const ask = (asked: RequestSpec) => outcomeOf(judged, { bearer: rawKey(), ...asked }, guards);
  const proto = { 'x-forwarded-proto': 'https' };
  const app = { ...proto, referer: 'https://app.example.com/' };

  expect(await ask({ headers: proto })).toBe('ip_not_allowed');
  expect(await ask({ headers: proto, address: '192.0.2.1' })).toBe('referer_not_allowed');
  const both = { ...app, origin: 'https://app.example.com' };
  expect(await ask({ headers: both, address: '192.0.2.1' })).toBe('origin_not_allowed');
});
