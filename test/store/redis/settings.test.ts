import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { RedisDown } from '../../../src/store/redis/link/link.ts';
import type { RedisSettings } from '../../../src/store/redis/options.ts';
import { apply } from '../../../src/store/redis/records/apply.ts';
import { NOW } from '../../core/build.ts';
import { makeAuthority } from '../../e2e/certificates.ts';
import { type RedisServer, startRedis } from '../../redis-harness/redis.ts';
import {
  describeCluster,
  describeRedisServer,
  newNamespace,
  redisClusterUrls,
  sharedClusterIsUp,
} from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { group } from '../contract-limits.ts';
import { leastRules } from './acl.ts';
import { leastUser } from './least-user.ts';
import { settingsOf } from './open.ts';
import { openParts, type Parts } from './parts.ts';

/** Some wait for it in vain. */
const OPEN_WITHIN_MS = 300;

const opened: Parts[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ link }) => link.close()));
});

async function open(settings: RedisSettings) {
  const parts = await openParts(settings, { openWithinMs: OPEN_WITHIN_MS });
  opened.push(parts);
  return parts;
}

/** Each kind of connection does its work: limits, a commit, and the news of it. */
async function expectToServe({ keyspace, limits, link }: Parts): Promise<void> {
  await waitFor('the link is up', () => link.nodes().every(({ breaker }) => breaker === 'closed'));
  const one = group({ per_minute: 1 });
  expect((await limits.takeLimits([one], NOW)).refused).toBe(false);
  expect((await limits.takeLimits([one], NOW)).refused).toBe(true);
  const heard: (string | undefined)[] = [];
  await link.subscribe(keyspace.channel, (message) => heard.push(message));
  const changes = [{ kind: 'key', name: 'k' }];
  const ops = [{ write: 'HSET', key: keyspace.settings, args: ['a', 'b'] }];
  const outcome = await apply(link, keyspace, { conditions: [], ops, changes });
  expect(outcome).toMatchObject({ stamp: expect.stringMatching(/^1:/) });
  await waitFor('the news', () => heard.some((message) => message?.startsWith('1:') ?? false));
}

/** Nothing is served, and nobody is told of what is secret. */
async function expectNotToServe({ failures, limits }: Parts, ...secrets: readonly string[]) {
  await waitFor('a failure is told', () => failures.length > 0);
  const taken = limits.takeLimits([group({ per_minute: 1 })], NOW);
  await expect(taken).rejects.toThrow(RedisDown);
  for (const secret of secrets) expect(failures.join()).not.toContain(secret);
}

const PASSWORD = 'p@ss/w:rd %41';

describeRedisServer('a Redis with users', () => {
  let server: RedisServer;
  beforeAll(async () => {
    const password = 'of-default';
    server = await startRedis({ password });
    const secret = `>${PASSWORD}`;
    await server.cli('ACL', 'SETUSER', 'postern', 'on', secret, '~*', '&*', '+@all');
  });
  afterAll(() => server.stop());

  const urlFor = (userInfo: string) => `redis://${userInfo}127.0.0.1:${server.port}`;
  const encoded = encodeURIComponent(PASSWORD);

  test('is opened with the password of the default user in the URL', async () => {
    await expectToServe(await open(settingsOf([urlFor(':of-default@')])));
  });

  test('is opened as a user of the URL, whose password is percent-encoded', async () => {
    await expectToServe(await open(settingsOf([urlFor(`postern:${encoded}@`)])));
  });

  test('is opened as a user beside the URL, which goes before that of the URL', async () => {
    const user = { username: 'postern', password: PASSWORD };
    await expectToServe(await open(settingsOf([urlFor('')], user)));
    await expectToServe(await open(settingsOf([urlFor('nobody:else@')], user)));
  });

  test('is opened as a user who may do no more than Postern needs', async () => {
    const user = { username: 'least', password: PASSWORD };
    const namespace = newNamespace();
    await server.cli('ACL', 'SETUSER', 'least', 'on', `>${PASSWORD}`, ...leastRules(namespace));
    const { keyspace, ...parts } = await open(settingsOf([urlFor('')], { ...user, namespace }));
    await expectToServe({ keyspace, ...parts });
    const may = (...command: readonly string[]) => server.cli('ACL', 'DRYRUN', 'least', ...command);
    expect(await may('GET', keyspace.stamp)).toBe('OK');
    for (const command of [
      ['GET', 'other'],
      ['GET', `{other}:stamp`],
      ['PUBLISH', '{other}:changed', ''],
      ['FLUSHALL'],
      ['KEYS', '*'],
      ['CONFIG', 'GET', '*'],
      ['ACL', 'LIST'],
    ]) {
      expect(await may(...command), command.join(' ')).toMatch(/no permissions/);
    }
  });

  test.each([
    ['no password', ''],
    ['a wrong password', 'postern:wrong-secret@'],
    ['an unknown user', 'wrong-user:wrong-secret@'],
  ])('serves nothing to %s, and the failure names none', async (_, userInfo) => {
    const parts = await open(settingsOf([urlFor(userInfo)]));
    await expectNotToServe(parts, 'wrong-secret', 'redis://');
  });

  test('of another database keeps what it has to itself', async () => {
    const { keyspace, limits } = await open(settingsOf([`${urlFor(':of-default@')}/3`]));
    await limits.takeLimits([group({ per_day: 9 })], NOW);
    expect(keyspace.stamp).toContain('test-');
    expect(await server.cli('INFO', 'keyspace')).toMatch(/db3:keys=\d+/);
  });
});

describeRedisServer('a Redis that speaks TLS and asks for certificates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-redis-tls-'));
  const authority = makeAuthority(folder, 'authority');
  const stranger = makeAuthority(folder, 'stranger');
  const own = authority.issue('server', 'IP:127.0.0.1', 'DNS:redis.example');
  const client = authority.issue('client', 'DNS:postern.example');
  const forged = stranger.issue('forged', 'DNS:postern.example');
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({
      tls: { ca: authority.certPath, cert: own.certPath, key: own.keyPath },
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const mine = { ca: authority.certPath, cert: client.certPath, key: client.keyPath };

  test.each([
    ['the address', {}],
    ['a name that is said beside it', { serverName: 'redis.example' }],
  ])('serves a client whose certificate it knows, and whom %s suffices', async (_, more) => {
    await expectToServe(await open(settingsOf([server.url], { tls: { ...mine, ...more } })));
  });

  test.each([
    ['without a certificate', { ca: mine.ca }],
    ['with one of another authority', { ...mine, cert: forged.certPath, key: forged.keyPath }],
    ['that trusts another authority', { ...mine, ca: stranger.certPath }],
    ['that trusts those of the system only', { cert: mine.cert, key: mine.key }],
    ['that expects another name', { ...mine, serverName: 'other.example' }],
  ])('serves no client %s', async (_, tls) => {
    await expectNotToServe(await open(settingsOf([server.url], { tls })));
  });

  test('serves no client that speaks plainly', async () => {
    const url = server.url.replace('rediss:', 'redis:');
    await expectNotToServe(await open(settingsOf([url])));
  });

  test('is not opened with a file that is not there', async () => {
    const tls = { ...mine, cert: join(folder, 'nowhere.crt') };
    await expect(openParts(settingsOf([server.url], { tls }))).rejects.toThrow('nowhere.crt');
  });
});

describeCluster('a Cluster with users', () => {
  const { user, create, remove } = leastUser(redisClusterUrls);
  beforeAll(async () => {
    await sharedClusterIsUp();
    await create();
  });
  afterAll(remove);

  test('is opened on each master as a user who may do no more than Postern needs', async () => {
    const parts = await open(settingsOf(redisClusterUrls, { cluster: true, ...user }));
    await expectToServe(parts);
    expect(parts.link.nodes()).toHaveLength(3);
    const subjects = Array.from({ length: 20 }, (_, at) => group({ per_minute: 1 }, `of ${at}`));
    expect((await parts.limits.takeLimits(subjects, NOW)).refused).toBe(false);
    expect((await parts.limits.takeLimits(subjects, NOW)).refused).toBe(true);
  });

  test('is found by any of its nodes', async () => {
    for (const url of redisClusterUrls) {
      await expectToServe(await open(settingsOf([url], { cluster: true, ...user })));
    }
  });

  test('serves nothing to a wrong password, and the failure names none', async () => {
    const wrong = { cluster: true, username: user.username, password: 'wrong-secret' };
    const parts = await open(settingsOf(redisClusterUrls, wrong));
    await expectNotToServe(parts, 'wrong-secret', 'redis://');
  });
});
