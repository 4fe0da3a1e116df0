import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../redis-harness/redis.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { countCall, type OpenedLink, openLink } from './link-calls.ts';

const KEY = 'link:{subject}:counter';

describeRedisServer('a link to a database that is refused', () => {
  let server: RedisServer;
  let link: OpenedLink | undefined;

  beforeEach(async () => {
    server = await startRedis({
      config: ['databases 4', 'user elsewhere on >secret ~* &* +@all -select'],
    });
  });
  afterEach(async () => {
    await link?.close();
    await server.stop();
  });

  const openAt = (place: string) => openLink([`redis://${place}`], { openWithinMs: 300 });

  it.each([
    ['because there is none of that number', '', 4, 'it has no database of the number'],
    ['to its user', 'elsewhere:secret@', 3, 'NOPERM'],
  ])('%s: nothing is read from or written to another', async (_, user, db, told) => {
    link = await openAt(`${user}127.0.0.1:${server.port}/${db}`);
    await expect(link.run(countCall(KEY, 1000))).rejects.toThrow('Redis');
    await expect(link.runAside(countCall(KEY, 1000))).rejects.toThrow('Redis');
    expect(await server.cli('DBSIZE')).toBe(0);
    expect(link.nodes()).toMatchObject([{ breaker: 'open' }]);
    expect(link.failures.join()).toContain(told);
  });

  it('serves by itself once the user may use it', async () => {
    link = await openAt(`elsewhere:secret@127.0.0.1:${server.port}/3`);
    await server.cli('ACL', 'SETUSER', 'elsewhere', '+select');
    await waitFor('it serves', () => link?.nodes()[0]?.breaker === 'closed');
    await link.run(countCall(KEY, 1000));
    expect(await server.cli('DBSIZE')).toBe(0);
  });
});
