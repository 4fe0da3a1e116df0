import { afterEach, beforeEach, expect, test } from 'vitest';
import { startProxy, type Proxy as Way } from '../../redis-harness/proxy.ts';
import { type RedisServer, startRedis } from '../../redis-harness/redis.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { hashOf, putKey, storedKey, workspaceRecord } from '../build.ts';
import { openWorld, remember, statusOf, untilRefused } from './gate-world.ts';

const MAX_STALE_MS = 30_000;
/** What one look-up may take of a decision, and what a busy machine adds. */
const LOOK_UP_MS = 50 + 40;

/** How long a look-up takes to be refused, ms. */
async function refusedAfterMs(answer: unknown): Promise<number> {
  const sinceMs = performance.now();
  await expect(answer).rejects.toMatchObject({ name: 'RedisDown' });
  return performance.now() - sinceMs;
}

const revoke = (id: string) => putKey(storedKey(id, { status: 'revoked' }), 1);

describeRedisServer('look-ups when Redis or the way to it is sick', () => {
  let server: RedisServer;
  let proxy: Way;
  let world: ReturnType<typeof openWorld>;
  beforeEach(async () => {
    server = await startRedis();
    proxy = await startProxy(server.port);
    world = openWorld([server.url]);
  });
  afterEach(async () => {
    await world.end();
    await proxy.close();
    await server.stop();
  });
  const startBehindProxy = () =>
    world.start({ maxStaleMs: MAX_STALE_MS }, [`redis://127.0.0.1:${proxy.port}`]);

  test('cut off, what is remembered holds until its time and nothing else does; then the gate heals', async () => {
    const [here, there] = [await world.start(), await startBehindProxy()];
    await here.commit(putKey(storedKey('k')), putKey(storedKey('other')));
    await remember(there, 'k', 'nobody');
    proxy.cut();
    await here.commit(revoke('k'));
    await waitFor('contact is lost', () => there.gate.contact().isCut);
    const confirmedAtMs = there.gate.contact().confirmedAtMs ?? 0;

    expect(await statusOf(there, 'k')).toBe('active');
    expect(await statusOf(there, 'nobody')).toBeUndefined();
    for (let at = 0; at < 10; at += 1) {
      const answer = there.gate.findKey(hashOf('other'));
      expect(await refusedAfterMs(answer)).toBeLessThan(LOOK_UP_MS);
    }
    there.pass(confirmedAtMs + MAX_STALE_MS - performance.now() - 1000);
    expect(await statusOf(there, 'k')).toBe('active');
    there.pass(1001);
    expect(await refusedAfterMs(there.gate.findKey(hashOf('k')))).toBeLessThan(LOOK_UP_MS);
    expect(await refusedAfterMs(there.gate.findKey(hashOf('nobody')))).toBeLessThan(LOOK_UP_MS);

    await proxy.heal();
    await waitFor('the gate healed', async () => (await statusOf(there, 'k')) === 'revoked');
    await waitFor('contact is back', () => !there.gate.contact().isCut);
  });

  test('contact counts from when a poll was sent, not from when it was answered', async () => {
    const there = await startBehindProxy();
    const sinceMs = performance.now();
    proxy.delay(60);
    await waitFor('a poll was confirmed', () => {
      const { confirmedAtMs = 0 } = there.gate.contact();
      return confirmedAtMs > sinceMs;
    });
    const { confirmedAtMs = 0 } = there.gate.contact();
    expect(performance.now() - confirmedAtMs).toBeGreaterThan(115);
  });

  test('a server that stands still lets nothing unknown wait', async () => {
    const there = await world.start({ maxStaleMs: MAX_STALE_MS });
    await there.commit(putKey(storedKey('k')));
    await remember(there, 'k');
    await server.pause();
    for (let at = 0; at < 20; at += 1) {
      expect(await statusOf(there, 'k')).toBe('active');
      const answer = there.gate.findWorkspace(`w${at}`);
      expect(await refusedAfterMs(answer)).toBeLessThan(LOOK_UP_MS);
    }
    server.resume();
    const answers = () =>
      Promise.resolve(there.gate.findWorkspace('w')).then(
        () => true,
        () => false,
      );
    await waitFor('the gate healed', answers);
  });

  test('with every subscriber killed again and again a revocation holds within a second', async () => {
    const [here, there] = [await world.start(), await world.start()];
    const ids = Array.from({ length: 10 }, (_, at) => `k${at}`);
    await here.commit(...ids.map((id) => putKey(storedKey(id))));
    for (const id of ids) {
      await remember(there, id);
      await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await here.commit(revoke(id));
      await untilRefused(there, id);
    }
  });

  test('after FLUSHALL nothing is remembered, also where as many changes came after it', async () => {
    const [here, there] = [await world.start(), await world.start()];
    await here.commit(putKey(storedKey('k')));
    await here.commit({ kind: 'workspace', put: workspaceRecord('w'), expected: 0 });
    await remember(there, 'k');
    await there.caughtUp();
    await server.cli('FLUSHALL');
    for (const id of ['a', 'b', 'c']) await here.commit(putKey(storedKey(id)));
    const isGone = async () => (await statusOf(there, 'k')) === undefined;
    await waitFor('it is gone there too', isGone, 1000);
  });

  test('after a restart with an older snapshot what it does not have is forgotten', async () => {
    const there = await world.start();
    await there.commit(putKey(storedKey('old')));
    await server.cli('SAVE');
    await there.commit(revoke('old'));
    await there.commit(putKey(storedKey('new')));
    await remember(there, 'old', 'new');
    expect([await statusOf(there, 'old'), await statusOf(there, 'new')]).toEqual([
      'revoked',
      'active',
    ]);
    await server.restart();
    await waitFor('the new one is gone', async () => (await statusOf(there, 'new')) === undefined);
    await waitFor('the old one is back', async () => (await statusOf(there, 'old')) === 'active');
  });

  test('a lost script cache changes nothing', async () => {
    const there = await world.start();
    await there.commit({ kind: 'workspace', put: workspaceRecord('w'), expected: 0 });
    const workspace = await there.gate.findWorkspace('w');
    await there.caughtUp();
    await server.cli('SCRIPT', 'FLUSH');
    await there.caughtUp();
    expect(there.gate.findWorkspace('w')).toBe(workspace);
    expect(await there.gate.findWorkspace('x')).toBeUndefined();
    expect(there.failures).toEqual([]);
  });

  test('a Redis without memory for more still tells what changed', async () => {
    const [here, there] = [await world.start(), await world.start()];
    await here.commit(putKey(storedKey('k')));
    await remember(there, 'k');
    await server.cli('CONFIG', 'SET', 'maxmemory', '1');
    await there.caughtUp();
    expect(await statusOf(there, 'k')).toBe('active');
    await remember(there, 'unknown');
    expect(await statusOf(there, 'unknown')).toBeUndefined();
    expect(there.failures).toEqual([]);
  });

  test('a replica answers and confirms nothing, because it may lag behind without end', async () => {
    const there = await world.start({ maxStaleMs: MAX_STALE_MS });
    await there.commit(putKey(storedKey('k')));
    const master = await startRedis();
    await server.cli('REPLICAOF', '127.0.0.1', master.port);
    await waitFor('contact is lost', () => there.gate.contact().isCut);
    await refusedAfterMs(there.gate.findKey(hashOf('k')));
    await server.cli('REPLICAOF', 'NO', 'ONE');
    await waitFor('contact is back', () => !there.gate.contact().isCut);
    await master.stop();
  });

  test('a gate that begins without Redis answers as soon as there is one', async () => {
    const here = await world.start();
    await here.commit(putKey(storedKey('k')));
    await proxy.refuse();
    const there = await startBehindProxy();
    expect(there.gate.contact()).toMatchObject({ confirmedAtMs: undefined, isCut: true });
    await refusedAfterMs(there.gate.findKey(hashOf('k')));
    await proxy.heal();
    await waitFor('contact is there', () => !there.gate.contact().isCut);
    await waitFor('it answers', async () => (await statusOf(there, 'k')) === 'active');
  });
});
