import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RedisDown, ScriptFailure } from '../../../src/store/redis/link/link.ts';
import { type RedisServer, startRedis } from '../../redis-harness/redis.ts';
import { pickPort } from '../../redis-harness/server-process.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { countCall, type OpenedLink, openLink, scriptOf, wordsOf } from './link-calls.ts';

const KEY = 'link:{subject}:counter';

describeRedisServer('a link to one Redis', () => {
  let server: RedisServer;
  let link: OpenedLink;

  beforeEach(async () => {
    server = await startRedis();
    link = await openLink([server.url]);
  });
  afterEach(async () => {
    await link.close();
    await server.stop();
  });

  it('makes one command of each call', async () => {
    await link.run(countCall(KEY));
    await server.cli('CONFIG', 'RESETSTAT');
    await Promise.all(Array.from({ length: 500 }, () => link.run(countCall(KEY, 1000))));
    const stats = String(await server.cli('INFO', 'commandstats'));
    expect(stats).toMatch(/cmdstat_evalsha:calls=500,/);
    expect(stats).not.toMatch(/cmdstat_(eval|script|ping|info|multi|hello)\b/);
  });

  it('knows the clock of Redis, and is never ahead of it', async () => {
    const time = scriptOf('time', `return redis.call('TIME')`);
    for (let turn = 0; turn < 100; turn += 1) {
      const before = link.redisNowMs() ?? 0;
      const [seconds, micros] = wordsOf(
        await link.run({ script: time, keys: [KEY], args: [], withinMs: 1000 }),
      );
      const redisMs = Number(seconds) * 1000 + Number(micros) / 1000;
      expect(before).toBeLessThanOrEqual(redisMs);
      expect(redisMs - before).toBeLessThan(1000);
    }
  });

  it('tells an error of a script from a sick server', async () => {
    await server.cli('LPUSH', KEY, 'not a number');
    for (let turn = 0; turn < 10; turn += 1) {
      const failure = await link.run(countCall(KEY, 1000)).catch((cause: unknown) => cause);
      expect(failure).toBeInstanceOf(ScriptFailure);
      expect(failure).toMatchObject({ code: 'WRONGTYPE' });
      expect(failure).not.toHaveProperty('command');
    }
    expect(link.nodes()).toMatchObject([{ breaker: 'closed' }]);
  });

  it('fails writes and serves look-ups when memory is full', async () => {
    const read = scriptOf('read', `return redis.call('GET', KEYS[1])`);
    await server.cli('CONFIG', 'SET', 'maxmemory', '1');
    for (let turn = 0; turn < 10; turn += 1) {
      await expect(link.run(countCall(KEY, 1000))).rejects.toBeInstanceOf(RedisDown);
    }
    const answer = await link.run({ script: read, keys: [KEY], args: [], withinMs: 1000 });
    expect(answer).toBeNull();
    await server.cli('CONFIG', 'SET', 'maxmemory', '0');
    await link.run(countCall(KEY, 1000));
  });

  it('serves look-ups when memory was full before it connected', async () => {
    await server.cli('CONFIG', 'SET', 'maxmemory', '1');
    const other = await openLink([server.url]);
    await expect(other.run(countCall(KEY, 1000))).rejects.toThrow('OOM');
    await server.cli('CONFIG', 'SET', 'maxmemory', '0');
    await other.run(countCall(KEY, 1000));
    await other.close();
  });

  it('runs records beside checks', async () => {
    await server.cli('CONFIG', 'SET', 'busy-reply-threshold', '10000');
    expect(wordsOf(await link.runAside(countCall(KEY, 1000)))[0]).toBe('counted');
  });

  it('hears messages, and tells when some may have been missed', async () => {
    const heard: (string | undefined)[] = [];
    await link.subscribe('link-channel', (message) => heard.push(message));
    await server.cli('PUBLISH', 'link-channel', 'first');
    await waitFor('the message is heard', () => heard.includes('first'));
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await waitFor('the gap is told', () => heard.at(-1) === undefined);
    await server.cli('PUBLISH', 'link-channel', 'second');
    await waitFor('the message is heard', () => heard.includes('second'));
    expect(heard).toEqual([undefined, 'first', undefined, 'second']);
  });

  it('survives a listener that throws', async () => {
    let heard = 0;
    await link.subscribe('link-channel', () => {
      heard += 1;
      throw new Error('a bug');
    });
    await server.cli('PUBLISH', 'link-channel', 'first');
    await waitFor('the message is heard', () => heard > 1);
    expect(link.failures.join()).toContain('could not be followed');
  });

  it('hears messages again after Redis stood still', async () => {
    let gaps = 0;
    await link.subscribe('link-channel', () => {
      gaps += 1;
    });
    await server.pause();
    await waitFor('the breaker opens', () => link.nodes()[0]?.breaker !== 'closed');
    await server.kill();
    await server.restart();
    await waitFor('the gap is told', () => gaps > 1);
  });

  it('closes at once while Redis stands still, and fails what was under way', async () => {
    await server.pause();
    const call = link.run(countCall(KEY, 10_000)).catch((cause: unknown) => cause);
    const startMs = performance.now();
    await link.close();
    expect(await call).toBeInstanceOf(RedisDown);
    expect(performance.now() - startMs).toBeLessThan(1000);
    await expect(link.run(countCall(KEY))).rejects.toBeInstanceOf(RedisDown);
    server.resume();
  });

  it('says that writes are safe where no replica could take them', async () => {
    expect(await link.isReplicated(100)).toBe(true);
  });

  it('says whether writes have come to a replica', async () => {
    const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${server.port}`] });
    await waitFor('the replica follows', async () =>
      String(await server.cli('INFO', 'replication')).includes('state=online'),
    );
    await link.runAside(countCall(KEY, 1000));
    expect(await link.isReplicated(2000)).toBe(true);
    await replica.pause();
    await link.runAside(countCall(KEY, 1000));
    expect(await link.isReplicated(100)).toBe(false);
    await replica.stop();
  });
});

describeRedisServer('opening a link', () => {
  it('goes on without Redis, and serves when it comes', async () => {
    const port = await pickPort();
    const link = await openLink([`redis://127.0.0.1:${port}`], { openWithinMs: 100 });
    await expect(link.run(countCall(KEY))).rejects.toBeInstanceOf(RedisDown);
    expect(link.failures.join()).toContain(`Redis at 127.0.0.1:${port}: connect ECONNREFUSED`);
    expect(link.redisNowMs()).toBeUndefined();
    const server = await startRedis({ port });
    await waitFor('it serves', () => link.nodes()[0]?.breaker === 'closed');
    await link.run(countCall(KEY, 1000));
    await link.close();
    await server.stop();
  });

  const SECRET = 'pa%ss:word';
  const USER = { users: [`postern on >${SECRET} ~* &* +@all`] };

  it('signs in as an ACL user', async () => {
    const server = await startRedis(USER);
    const url = `redis://postern:${encodeURIComponent(SECRET)}@127.0.0.1:${server.port}`;
    const link = await openLink([url]);
    await link.run(countCall(KEY, 1000));
    await link.close();
    await server.stop();
  });

  it.each([
    ['a wrong password', 'redis://postern:wrong-guess@', 'WRONGPASS'],
    ['no password', 'redis://', 'NOAUTH'],
  ])('says what to do about %s, and not which it was', async (_, start, code) => {
    const server = await startRedis(USER);
    const link = await openLink([`${start}127.0.0.1:${server.port}`], { openWithinMs: 300 });
    const said = link.failures.join();
    expect(said).toContain(code);
    expect(said).toContain('check the user and the password');
    expect(said).not.toContain('wrong-guess');
    const failure = await link.run(countCall(KEY)).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(RedisDown);
    expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('guess');
    await link.close();
    await server.stop();
  });

  it.each([
    ['a URL of something else', ['http://user:secret@host']],
    ['a URL that is none', ['redis//secret']],
    ['no URL', []],
  ])('refuses %s without repeating it', async (_, urls) => {
    const failure = await openLink(urls).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(Error);
    expect(String(failure)).not.toContain('secret');
  });
});

describe('a link to something that is no Redis', () => {
  let server: Server;
  const sockets = new Set<Socket>();

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  const listen = async (answer: (socket: Socket) => void): Promise<string> => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => answer(socket));
    });
    const port = await pickPort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return `redis://127.0.0.1:${port}`;
  };

  it.each<readonly [string, (socket: Socket) => void]>([
    ['never answers', () => undefined],
    ['answers garbage', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['answers too much', (socket) => socket.write('+OK\r\n+OK\r\n$2\r\nOK\r\n*0\r\n')],
    ['answers too little', (socket) => socket.write('*3\r\n$5\r\nhel')],
    ['answers with nothing', (socket) => socket.write('*-1\r\n')],
    ['hangs up', (socket) => socket.destroy()],
  ])('refuses calls when it %s', async (_, answer) => {
    const link = await openLink([await listen(answer)], { openWithinMs: 700 });
    const startMs = performance.now();
    await expect(link.run(countCall(KEY))).rejects.toBeInstanceOf(RedisDown);
    expect(performance.now() - startMs).toBeLessThan(150);
    await link.close();
  });
});
