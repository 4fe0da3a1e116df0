import { expect, test } from 'vitest';
import { SPELLINGS } from '../../src/core/target.ts';
import { createHandleCheck } from '../../src/envoy/authorization.ts';
import { NOW, policy, rawKey } from '../core/build.ts';
import { type Asked, messageOf } from './messages.ts';

/** As much as Envoy's default lets a request's head hold. */
const BYTES = 60_000;
/** What one request may take of the only thread; an exception for each pair or escape took half a second. */
const WORK_MS_MAX = 25;
const RUNS = 5;

const key = rawKey();
const claims: { [name: string]: unknown } = {};

const judged = policy({
  keys: [{ raw: key, id: 'one', allowed_origins: ['a.example.com'] }],
  readFrom: [
    { kind: 'bearer' },
    { kind: 'header', name: 'x-api-key' },
    { kind: 'query', name: 'api_key' },
  ],
  issuers: [
    {
      name: 'id',
      readFrom: [{ kind: 'cookie', name: 'session' }, { kind: 'bearer' }],
      headers: { 'x-name': 'name' },
    },
  ],
  routes: [
    {
      name: 'all',
      path: '/v1/**',
      access: ['api_key', 'jwt', 'anonymous'],
      referers: ['a.example.com'],
      pathAllow: SPELLINGS,
    },
    ...Array.from({ length: 50 }, (_, at) => ({
      name: `tenant-${at}`,
      path: `/{workspace}/*/x${at}/**`,
      access: ['api_key'] as const,
    })),
  ],
});

const handleCheck = createHandleCheck({
  ports: {
    findKey: () => undefined,
    findWorkspace: () => undefined,
    findOwner: () => undefined,
    findRoles: () => undefined,
    verifyToken: (_token, issuers) => {
      const [issuer] = issuers;
      if (!issuer) throw new Error('the policy has changed');
      return { kind: 'token', issuer, claims: { sub: 'ada', ...claims } };
    },
    takeLimits: () => ({ usages: [], refused: false }),
  },
  policy: () => judged,
  now: () => NOW,
  hostAddresses: new Set(),
  record: () => {},
  onFailure: (cause) => {
    throw cause;
  },
});

function full(part: string): string {
  return part.repeat(Math.ceil(BYTES / part.length)).slice(0, BYTES);
}

/** The least time of some runs, so that a busy machine does not count. */
async function workMs(asked: Asked): Promise<number> {
  const message = messageOf(asked);
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    const startedMs = performance.now();
    await handleCheck(message, 1000);
    least = Math.min(least, performance.now() - startedMs);
  }
  return least;
}

test.each([
  ...['a', 'a/', ';', 'a;b/', '/', '../', '%20', '%20a', '%2520/', '25', '%3f', '%c3%a9', 'é'],
  ...['%ff', '%ffa', '%c3a', '%ed%a0%80/', 'pst_', 'eyJ'],
])('a path of %s', async (part) => {
  expect(await workMs({ path: `/v1/${full(part)}` })).toBeLessThan(WORK_MS_MAX);
});

test.each([
  '&',
  '=',
  'a=b&',
  '%61&',
  '+&',
  '%ff&',
  '%c3&',
  'api%5Fkey&',
  'api_key=%ff&',
  '%',
  'api_kex&',
])('a query of %s', async (part) => {
  expect(await workMs({ path: `/v1/x?${full(part)}` })).toBeLessThan(WORK_MS_MAX);
});

test.each([
  ...['cookie', 'authorization', 'referer', 'origin', 'accept', 'x-forwarded-for', 'x-api-key'],
  ...['x-forwarded-proto', 'x-request-id', 'content-type', 'access-control-request-method'],
])('a header %s of whatever', async (name) => {
  const parts = [
    ';',
    'a=b;',
    'session=;',
    '"',
    ' ',
    ', ',
    ',null ',
    'a.',
    'xn--a-ecp.',
    '1',
    ':1',
    '[',
  ];
  for (const part of [...parts, ',bearer', 'application/problem+json;q=0,', '\t', '\u00e9']) {
    for (const start of [
      '',
      'https://',
      'https://a:',
      'https://[',
      'https://a.example.com/',
      'X,',
      'Bearer ',
      'session="',
    ]) {
      const lines = [[name, start + full(part)]] as const;
      expect(await workMs({ path: '/v1/x', lines }), start + part).toBeLessThan(WORK_MS_MAX);
    }
  }
});

test.each(['a.', ':1', '1', '.', '[:'])('a host of %s', async (part) => {
  expect(await workMs({ host: full(part) })).toBeLessThan(WORK_MS_MAX);
  expect(await workMs({ host: `a:${full(part)}x` })).toBeLessThan(WORK_MS_MAX);
});

test.each([
  ['spaces and a percent sign', `a${' '.repeat(6000)}%`],
  ['spaces after a letter', `é${' '.repeat(6000)}a`],
  ['percent signs', '%'.repeat(6000)],
  ['much depth', JSON.parse(`${'['.repeat(2900)}${']'.repeat(2900)}`)],
])('a claim of %s', async (_name, name) => {
  claims['name'] = name;
  const lines = [['authorization', 'Bearer a.b.c']] as const;
  expect(await workMs({ path: '/v1/x', lines })).toBeLessThan(WORK_MS_MAX);
});
