import { expect, test } from 'vitest';
import { group } from '../contract-limits.ts';
import { openInstance, openServer } from './leased-build.ts';

test('a counter that has to be exact is never leased, however often it is asked for', async () => {
  const server = openServer();
  const { limits, now } = openInstance(server);
  const exact = { ...group({ per_minute: 10_000 }), isExact: true };
  for (let at = 0; at < 100; at += 1) await limits.takeLimits([exact], now());
  expect(server.trips.map(({ kind }) => kind)).toEqual(Array(100).fill('take'));
  await limits.close();
});
