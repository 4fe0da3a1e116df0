import { describe, expect, test } from 'vitest';
import { readSettings, restartNeeds } from '../../src/config/settings.ts';
import { load } from './policy-file.ts';

const ROUTES = 'routes: [{ path: /a, access: public }]';

function problemsOf(store: string): readonly string[] {
  return load(`store: ${store}\n${ROUTES}\n`).problems;
}

function settingsOf(text: string, env = {}) {
  const { config, problems } = load(`${text}\n${ROUTES}\n`, env);
  if (!config) throw new Error(problems.join('\n'));
  return readSettings(config);
}

describe('the URL of a Redis server', () => {
  test.each([
    'redis://localhost',
    'redis://localhost/',
    'redis://127.0.0.1:6379/15',
    'rediss://redis_0.example.com:6380',
    'redis://[::1]:6379',
    'redis://:password@h',
    'redis://user:pass%40word%2F@h:1',
    'rediss://user:päss@h',
  ])('%s is one', (url) => {
    expect(problemsOf(JSON.stringify(url))).toEqual([]);
    expect(settingsOf(`store: ${JSON.stringify(url)}`).store).toEqual({
      kind: 'redis',
      urls: [url],
      cluster: false,
      namespace: 'postern',
    });
  });

  const form = 'expected redis://host:port or rediss://host:port';
  const escapes = 'percent-encode what a user or password holds of "%", "/", "?", "#", "@" and ":"';
  test.each([
    ['redis:', form],
    ['redis://', form],
    ['redis:///0', form],
    ['redis://h:x', form],
    ['redis://h:0', form],
    ['redis://h:65536', form],
    ['redis://ho st', form],
    ['redis://h\n', form],
    ['redis://[::1', form],
    ['redis://[1.2.3]', form],
    ['redis://h\\@evil', `${form}; ${escapes}`],
    ['redis://:pa/hunter2@h', `${form}; ${escapes}`],
    ['redis://:pa@hunter2@h', `${form}; ${escapes}`],
    ['redis://:pa#hunter2@h', `${form}; ${escapes}`],
    ['redis://:hunter2%@h', escapes],
    ['redis://:hunter2%ff@h', escapes],
    ['redis://hunter2@h', 'a user without a password: write user:password@host or :password@host'],
    ['redis://h?db=1', 'a Redis URL has no query and no fragment'],
    ['redis://h/1#x', 'a Redis URL has no query and no fragment'],
    [
      'redis://h/one',
      'after the host stands nothing but the number of a database, as in redis://host/1',
    ],
  ])('%j is none', (url, problem) => {
    expect(problemsOf(JSON.stringify(url))).toEqual([`policy.yaml:1:8 store: ${problem}`]);
    expect(problemsOf(JSON.stringify([url]))).toEqual([`policy.yaml:1:9 store[0]: ${problem}`]);
  });
});

test.each([
  [
    'a database of a Cluster',
    '[redis://a, redis://b/1]',
    ['store[1]: a Redis Cluster has no database but 0'],
  ],
  [
    'servers that are spoken to in different ways',
    '[redis://a, rediss://b, "redis://:p@c"]',
    [
      'store[1]: all of these URLs are redis: or all are rediss:',
      'store[2]: all of these URLs have the same user and password',
    ],
  ],
  [
    'sentinels with different databases',
    '{ urls: [redis://a/1, redis://b/2], sentinel: main }',
    ['store.urls[1]: all of these URLs have the same database'],
  ],
  [
    'a password in two places',
    '{ urls: "redis://:hunter2@a", password: hunter2 }',
    ['store.urls: the password stands in this URL and beside it: write it once'],
  ],
  ['a user alone', '{ urls: redis://a, username: u }', ['store.username: username needs password']],
  [
    'files of TLS without TLS, and without each other',
    '{ urls: [redis://a, redis://b], tls: { cert: c } }',
    ['store.tls.cert: cert needs key', 'store.urls[0]: tls needs rediss: URLs'],
  ],
  [
    'keys that are none',
    '{ url: rediss://a, namespace: "a b", password: "", tls: { key: k, crt: c } }',
    [
      'store.url: unknown key; did you mean "urls"?',
      'store.namespace: expected 1 to 64 letters, digits, "_" and "-"',
      'store.password: expected 1 to 4096 characters',
      'store.tls.crt: unknown key; did you mean "cert"?',
    ],
  ],
  ['no URLs', '{ urls: [] }', ['store.urls: expected at least one entry']],
  ['no map of Redis', '{ sentinel: main }', ['store.urls: required: expected a text or a list']],
])('%s: every problem is told', (_name, store, problems) => {
  const told = problemsOf(store).map((problem) => problem.replace(/^\S+ /, ''));
  expect([...told].sort()).toEqual([...problems].sort());
  expect(told.join('\n')).not.toContain('hunter2');
});

test.each([
  ['key_cache: { max_stale: 999ms }', 'key_cache.max_stale: expected at least 1s'],
  ['on_store_failure: { replicas: 0 }', 'on_store_failure.replicas: expected at least 1'],
  [
    'on_store_failure: { limits: alow }',
    'on_store_failure.limits: expected one of "local", "allow", "deny"; did you mean "allow"?',
  ],
  [
    'limits: { mode: lease }',
    'limits.mode: expected one of "exact", "leased"; did you mean "leased"?',
  ],
])('%s is a problem', (text, problem) => {
  const { problems } = load(`store: redis://localhost\n${text}\n${ROUTES}\n`);
  expect(problems.map((one) => one.replace(/^\S+ /, ''))).toEqual([problem]);
});

test('a map says how Redis is spoken to; its password may come from elsewhere, with any characters', () => {
  const { store } = settingsOf(
    `store:
  urls: [rediss://a, rediss://b]
  sentinel: main
  username: gate
  password: "\${REDIS_PASSWORD}"
  tls: { ca: ca.pem, cert: c.pem, key: k.pem, server_name: redis.example.com }
  namespace: acme`,
    { REDIS_PASSWORD: '/@:#?%' },
  );
  expect(store).toEqual({
    kind: 'redis',
    urls: ['rediss://a', 'rediss://b'],
    cluster: false,
    sentinel: 'main',
    username: 'gate',
    password: '/@:#?%',
    tls: { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem', serverName: 'redis.example.com' },
    namespace: 'acme',
  });
});

test('a list in a map is a Cluster, one text is not', () => {
  const clusterOf = (urls: string) => settingsOf(`store: { urls: ${urls} }`).store;
  expect(clusterOf('[redis://a]')).toMatchObject({ urls: ['redis://a'], cluster: true });
  expect(clusterOf('redis://a/3')).toMatchObject({ urls: ['redis://a/3'], cluster: false });
});

test('what holds while Redis is away has defaults, and a change of it takes a restart', () => {
  const before = settingsOf('store: redis://localhost');
  expect(before).toMatchObject({
    limits: { maxSubjects: 1_000_000, mode: 'exact' },
    onStoreFailure: { limits: 'local' },
    keyCache: { maxStaleMs: 30_000 },
  });
  expect(before.onStoreFailure.replicas).toBeUndefined();
  const after = settingsOf(`store: { urls: redis://localhost, password: p }
limits: { mode: leased }
on_store_failure: { limits: deny, replicas: 4 }
key_cache: { max_stale: 5s }`);
  expect(restartNeeds(before, after)).toEqual(['store', 'limits', 'on_store_failure', 'key_cache']);
  expect(restartNeeds(before, settingsOf('store: { urls: redis://localhost }'))).toEqual([]);
});
