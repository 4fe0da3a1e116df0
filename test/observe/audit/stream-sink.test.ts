import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createStreamCarrier } from '../../../src/observe/audit/deliver/redis-carrier.ts';
import { openStreamConnection } from '../../../src/observe/audit/deliver/redis-connection.ts';
import { openSpoolSink } from '../../../src/observe/audit/spool-sink.ts';
import {
  describeCluster,
  describeRedis,
  redisClusterUrls,
  redisUrl,
  sharedClusterIsUp,
} from '../../redis-harness/shared.ts';
import { sinkOptions, testFolder, until } from './folder.ts';

const EVENTS = Array.from({ length: 200 }, (_, at) => JSON.stringify({ id: `e${at}` }));

async function openSink(urls: readonly string[], stream: string, maxLength = 100_000) {
  const { options } = sinkOptions({ name: 'redis', format: 'ocsf', mode: 'blocking' });
  const { onFailure } = options;
  const place = { urls, cluster: urls.length > 1 };
  const connection = await openStreamConnection(place, onFailure);
  const carrier = createStreamCarrier(connection, { stream, maxLength, onFailure });
  return openSpoolSink({ folder: testFolder(), carrier, maxBytes: 1024 * 1024 }, options);
}

const newStream = () => `test-${randomBytes(8).toString('hex')}`;

describeRedis('a stream', () => {
  test('holds every event in order, each with its id', async () => {
    const stream = newStream();
    const sink = await openSink([redisUrl], stream);
    for (const event of EVENTS) sink.write(event);
    await until(() => sink.counts().waitingEvents === 0);
    await sink.close(2000);
    await using redis = openRedis(redisUrl);
    const entries = await redis.client.xrange(stream, '-', '+');
    await redis.client.del(stream);
    const expected = EVENTS.map((event, at) => ['id', `e${at}`, 'event', event]);
    expect(entries.map(([, fields]) => fields)).toEqual(expected);
  });

  test('is cut to about its length', async () => {
    const stream = newStream();
    const sink = await openSink([redisUrl], stream, 1000);
    for (let at = 0; at < 3000; at += 1) sink.write(JSON.stringify({ id: `e${at}` }));
    await until(() => sink.counts().waitingEvents === 0);
    await sink.close(2000);
    await using redis = openRedis(redisUrl);
    const length = await redis.client.xlen(stream);
    await redis.client.del(stream);
    expect(length).toBeGreaterThanOrEqual(1000);
    expect(length).toBeLessThan(1200);
  });
});

describeCluster('a Cluster', () => {
  test('holds a stream too', async () => {
    await sharedClusterIsUp();
    const stream = newStream();
    const sink = await openSink(redisClusterUrls, stream);
    for (const event of EVENTS) sink.write(event);
    await until(() => sink.counts().waitingEvents === 0);
    expect(sink.counts()).toMatchObject({ written: EVENTS.length, failed: 0 });
    await sink.close(2000);
  });
});

test('a Redis that is not there keeps nobody waiting, and its events wait', async () => {
  const sink = await openSink(['redis://127.0.0.1:1'], 'audit');
  expect(await sink.keep('{"id":"a"}').isKept).toBe(true);
  await sink.close(100);
  expect(sink.counts()).toMatchObject({ written: 0, waitingEvents: 1, dropped: 0 });
});

function openRedis(url: string) {
  const client = new Redis(url, { protocol: 2 });
  return { client, [Symbol.asyncDispose]: async () => void (await client.quit()) };
}
