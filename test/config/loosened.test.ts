import { expect, test } from 'vitest';
import { loosened } from '../../src/config/loosened.ts';
import { compile } from './policy-file.ts';

const ENTRY = (more: string) => `{ name: a, path: /a, ${more} }`;
const ROUTE = (more: string) => `routes: [${ENTRY(more)}]`;
const KEY = (more: string) =>
  `${ROUTE('access: [api_key]')}\napi_keys: { declared: [{ id: k, hash: "sha256:${'a'.repeat(64)}", ${more} }] }`;
const ISSUER = (more: string) =>
  `${ROUTE('access: [jwt]')}\nissuers: [{ name: i, issuer: "https://id.example.com", ${more} }]`;
const LIFE = (rules: string) => `${ROUTE('access: [api_key]')}\napi_keys: { ${rules} }`;
const FAILURES = (rules: string) =>
  `${ROUTE('access: [api_key]')}\nalerts: { failures: [${rules}] }`;
const PLAN = (figures: string) =>
  `plans: { p: { ${figures} } }\n${ROUTE('access: [api_key], plan: p')}`;

const CASES: readonly (readonly [string, string, readonly string[]])[] = [
  [ROUTE('access: [jwt]'), ROUTE('access: public'), ['route a: became public']],
  [
    LIFE('max_age: 30d, rotate_every: 7d'),
    LIFE('max_age: 60d'),
    ['api_keys.max_age lets keys live longer', 'api_keys.rotate_every lets keys live longer'],
  ],
  [LIFE('max_age: 30d'), LIFE('max_age: 10d, rotate_every: 7d'), []],
  [ROUTE('access: [jwt]'), ROUTE('access: [jwt, api_key]'), ['route a: takes an API key alone']],
  [ROUTE('access: [[api_key, jwt]]'), ROUTE('access: [jwt]'), ['route a: takes a token alone']],
  [ROUTE('access: [jwt]'), ROUTE('access: [jwt, anonymous]'), ['route a: takes anonymous callers']],
  [
    ROUTE('access: [jwt], ips: [10.0.0.0/8]'),
    ROUTE('access: [jwt]'),
    ['route a: takes more addresses'],
  ],
  [
    ROUTE('access: [jwt], ips: [10.0.0.0/9]'),
    ROUTE('access: [jwt], ips: [10.0.0.0/8]'),
    ['route a: takes more addresses'],
  ],
  [ROUTE('access: [jwt], ips: [10.0.0.0/8]'), ROUTE('access: [jwt], ips: [10.1.2.3]'), []],
  [
    ROUTE('access: [jwt], referers: { allow: [a.example.com], missing: deny }'),
    ROUTE('access: [jwt], referers: [a.example.com]'),
    ['route a: takes more referers'],
  ],
  [
    ROUTE('access: [jwt], referers: ["*.example.com"]'),
    ROUTE('access: [jwt], referers: ["*.a.example.com", b.example.com]'),
    [],
  ],
  [
    ROUTE('access: [jwt], cors: { origins: [a.example.com] }'),
    ROUTE('access: [jwt], cors: { origins: [b.example.com] }'),
    ['route a: takes more origins'],
  ],
  [
    ROUTE('access: [jwt], scopes: { GET: [r], "*": [w] }'),
    ROUTE('access: [jwt], scopes: [r]'),
    ['route a: no longer demands w'],
  ],
  [
    `roles: { x: {} }\n${ROUTE('access: [jwt], role: x')}`,
    ROUTE('access: [jwt]'),
    ['route a: no longer demands the role x'],
  ],
  [
    ROUTE('access: [jwt], claims: { a.b: [1, 2] }'),
    ROUTE('access: [jwt], claims: { a.b: [1, 2, 3] }'),
    ['route a: demands less of the claims'],
  ],
  [
    ROUTE('access: [jwt], https_only: true'),
    ROUTE('access: [jwt]'),
    ['route a: no longer wants https'],
  ],
  [
    ROUTE('access: [jwt], limits: [{ name: l, per_minute: 5 }], cost: 3'),
    ROUTE('access: [jwt], limits: [{ name: l, per_minute: 9 }]'),
    ['route a: limit l: 9/minute instead of 5/minute', 'route a: costs 1 instead of 3'],
  ],
  [
    ROUTE('access: [jwt], limits: [{ name: l, by: ip, per_minute: 5 }]'),
    ROUTE('access: [jwt], limits: [{ name: l, on: refused, per_minute: 5 }]'),
    ['route a: limit l counts 401s only'],
  ],
  [
    FAILURES('{ by: ip, per_minute: 5, per_day: 9, block: 5m }'),
    FAILURES('{ by: ip, per_minute: 6, per_day: 8, block: 5m }'),
    ['5 failures by ip in 60 s block less'],
  ],
  [
    FAILURES('{ by: key, per_minute: 5, block: 5m }'),
    FAILURES('{ by: key, per_minute: 5, block: 1m }'),
    ['5 failures by key in 60 s block less'],
  ],
  [FAILURES('{ by: ip, per_minute: 5 }'), FAILURES(''), []],
  [ROUTE('access: [jwt], methods: [GET]'), ROUTE('access: [jwt]'), ['route a: takes more methods']],
  [
    ROUTE('access: [jwt]'),
    `routes: [${ENTRY('access: [jwt]')}, { name: b, path: /b, access: public }]`,
    ['route b: is new and public'],
  ],
  [
    `routes: [${ENTRY('access: [jwt]')}, { name: b, path: /b, access: [jwt] }]`,
    ROUTE('access: [jwt]'),
    ['route b is gone: a later route may take its requests'],
  ],
  [PLAN('per_minute: 5'), PLAN('per_minute: 6'), ['plan p: 6/minute instead of 5/minute']],
  [
    PLAN('per_minute: 5, burst: 2, per_day: 9'),
    PLAN('per_minute: 5'),
    ['plan p: 9/day is gone', 'plan p: the burst of 2 is no longer a bound'],
  ],
  [PLAN('per_minute: 5'), PLAN('per_minute: 4'), []],
  [
    `blocks: [{ username: eve }, { ip: 10.0.0.1 }]\n${ROUTE('access: [jwt]')}`,
    `blocks: [{ username: eve, until: 2030-01-01T00:00:00Z }]\n${ROUTE('access: [jwt]')}`,
    ['a block of address is gone', 'a block of username ends sooner'],
  ],
  [
    KEY('allowed_ips: [10.0.0.1], scopes: [a], expires_at: 2030-01-01T00:00:00Z'),
    KEY('scopes: [a, b]'),
    ['key k: ends later', 'key k: has more scopes', 'key k: works from more addresses'],
  ],
  [KEY('disabled: true'), KEY('name: n'), ['key k: is enabled']],
  [ISSUER('audience: a'), ISSUER('audience: [a, b]'), ['issuer i: takes more audiences']],
  [
    ISSUER('audience: a, max_age: 5m'),
    ISSUER('audience: a, require_exp: false'),
    ['issuer i: takes tokens without exp', 'issuer i: takes older tokens'],
  ],
  [
    `api_keys: { browser: deny }\n${ROUTE('access: [jwt]')}`,
    ROUTE('access: [jwt]'),
    ['api_keys.browser is flag instead of deny'],
  ],
  [
    `roles: { r: { scopes: [a] } }\n${ROUTE('access: [jwt]')}`,
    `roles: { r: { scopes: [a, b] } }\n${ROUTE('access: [jwt]')}`,
    ['role r has more scopes'],
  ],
  [
    `workspaces: { w: { status: suspended } }\n${ROUTE('access: [jwt]')}`,
    `workspaces: { w: {} }\n${ROUTE('access: [jwt]')}`,
    ['workspace w: is active again'],
  ],
  [
    `routes: [${ENTRY('access: [jwt]')}, { name: b, path: /b, access: [jwt] }]`,
    `routes: [{ name: b, path: /b, access: [jwt] }, ${ENTRY('access: [jwt]')}]`,
    ['routes stand in another order'],
  ],
];

test.each(CASES)('from %s to %s', async (before, after, changes) => {
  expect(await loosened(await compile(before), await compile(after))).toEqual(changes);
});

test.each(CASES)('nothing is looser than itself: %s', async (text) => {
  expect(await loosened(await compile(text), await compile(text))).toEqual([]);
});

test('of very many changes the first are told and the others counted', async () => {
  const routes = (access: string) =>
    [
      'routes:',
      ...Array.from({ length: 300 }, (_, at) => `  - { path: /${at}, access: ${access} }`),
    ].join('\n');
  const changes = await loosened(await compile(routes('[jwt]')), await compile(routes('public')));
  expect(changes).toHaveLength(201);
  expect(changes.at(-1)).toBe('and 100 more');
});
