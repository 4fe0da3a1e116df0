import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RedisSettings } from '../../src/store/redis/options.ts';
import { openRedisStore } from '../../src/store/redis/redis.ts';
import { NOW } from '../core/build.ts';
import { type RedisServer, startRedis } from '../redis-harness/redis.ts';
import { startSentinel } from '../redis-harness/sentinel.ts';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { waitFor } from '../redis-harness/wait.ts';
import { putKey, storedKey } from '../store/build.ts';
import { group } from '../store/contract-limits.ts';
import { leastRules } from '../store/redis/acl.ts';
import { storeOptions } from '../store/redis/open.ts';
import { blocksOf, ROOT, readPage, spansOf } from './pages.ts';

const PAGE = readPage('docs/scaling.md');
const linesOf = (language: string) =>
  blocksOf(PAGE)
    .filter((block) => block.language === language)
    .map(({ lines }) => lines);
const [CONF = [], REPLICAS = [], CLUSTER = []] = linesOf('conf');
const [POSTERN = '', WATCHER = ''] = linesOf('acl').flat();

/** A line `user NAME on >PASSWORD RULES…` of an ACL file. */
function readUser(line: string) {
  const [word, username = '', on, secret = '', ...rules] = line.split(' ');
  expect([word, on, secret[0]]).toEqual(['user', 'on', '>']);
  return { username, password: secret.slice(1), rules };
}

test('the user of the page has the rules that the tests of the store run with', () => {
  expect(readUser(POSTERN)).toMatchObject({ username: 'postern', rules: leastRules('postern') });
});

test('every metric that the page names is one of the program', () => {
  const folder = join(ROOT, 'src/observe/metrics');
  const files = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
  const source = files.join('\n');
  const named = new Set(spansOf(PAGE).flatMap((span) => span.match(/\bpostern_[a-z_]+/g) ?? []));
  expect(named.size).toBeGreaterThan(1);
  const unknown = [...named].filter(
    (name) =>
      !source.includes(`'${name}'`) && !source.includes(`'${name.replace('postern_', '')}'`),
  );
  expect(unknown).toEqual([]);
});

test('what the log is said to say, it says', () => {
  const [said = ''] = spansOf(PAGE).filter((span) => span.startsWith('no replica of Redis'));
  const source = readFileSync(join(ROOT, 'src/store/redis/records/commit.ts'), 'utf8');
  expect(source).toContain(`'${said}'`);
});

test('every file of the project that the page names is there', () => {
  const files = PAGE.text.match(/\b(?:test|scripts)\/[\w./-]+\.ts\b/g) ?? [];
  expect(files.length).toBeGreaterThan(1);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

/** Takes a limit and commits a key: what Postern does. */
async function expectToServe(settings: RedisSettings): Promise<void> {
  const store = await openRedisStore(settings, storeOptions());
  try {
    await waitFor('the store is up', () => store.health().isUp);
    expect((await store.takeLimits([group({ per_day: 1 })], NOW)).refused).toBe(false);
    expect(await store.commit({ writes: [putKey(storedKey('k'))], events: [] })).toBeUndefined();
    expect(await store.getKey('k')).toMatchObject({ version: 1 });
  } finally {
    await store.close();
  }
}

describeRedisServer('what the page says of redis.conf', () => {
  const expectConfig = async (server: RedisServer, lines: readonly string[]) => {
    for (const [name = '', value] of lines.map((line) => line.split(' '))) {
      const [, actual] = (await server.cli('CONFIG', 'GET', name)) as readonly string[];
      expect([name, inBytes(actual)]).toEqual([name, inBytes(value)]);
    }
  };

  test('serves Postern as the user of the page', async () => {
    const { username, password } = readUser(POSTERN);
    const server = await startRedis({ config: CONF, users: [POSTERN.replace(/^user /, '')] });
    try {
      await expectConfig(server, CONF);
      const urls = [server.url];
      await expectToServe({ urls, cluster: false, namespace: 'postern', username, password });
    } finally {
      await server.stop();
    }
  });

  test.each([
    ['replicas', REPLICAS],
    ['a Cluster', CLUSTER],
  ])('is taken by a server: %s', async (_, lines) => {
    expect(lines.length).toBeGreaterThan(1);
    const server = await startRedis({ config: lines });
    try {
      await expectConfig(server, lines);
    } finally {
      await server.stop();
    }
  });
});

function inBytes(value = ''): string {
  return value.replace(/^(\d+)gb$/, (_, count) => String(Number(count) * 2 ** 30));
}

async function addUser({ cli }: RedisServer, line: string): Promise<void> {
  const { username, password, rules } = readUser(line);
  await cli('ACL', 'SETUSER', username, 'on', `>${password}`, ...rules);
}

describeRedisServer('sentinels that ask for the user of the page', () => {
  test('lead Postern to the master, and tell of the next', async () => {
    const sentinels = await startSentinel();
    try {
      const watcher = readUser(WATCHER);
      const { username, password } = readUser(POSTERN);
      await Promise.all(sentinels.sentinels.map((one) => addUser(one, WATCHER)));
      await Promise.all(sentinels.servers.map((one) => addUser(one, POSTERN)));
      const userInfo = `//${watcher.username}:${watcher.password}@`;
      const urls = sentinels.urls.map((url) => url.replace('//', userInfo));
      const user = { namespace: 'postern', username, password };
      const settings = { urls, cluster: false, sentinel: sentinels.name, ...user };
      const told: string[] = [];
      const options = storeOptions({ onFailure: (cause) => told.push(String(cause)) });
      const store = await openRedisStore(settings, options);
      try {
        await waitFor('the store is up', () => store.health().isUp);
        expect(told).toEqual([]);
        await sentinels.failOver();
        await waitFor('it is up again', async () => {
          const taken = store.takeLimits([group({ per_day: 1 }, String(Math.random()))], NOW);
          return await Promise.resolve(taken).then(
            () => store.health().isUp,
            () => false,
          );
        });
      } finally {
        await store.close();
      }
    } finally {
      await sentinels.stop();
    }
  }, 60_000);
});
