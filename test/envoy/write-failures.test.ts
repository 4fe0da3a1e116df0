import { expect, test } from 'vitest';
import { check } from '../../src/core/check.ts';
import { writeDecision } from '../../src/envoy/write.ts';
import { failureBook, NOW, policy, ports, rawKey, request } from '../core/build.ts';

const BLOCK_MS = 300_000;

/** The status and headers of the second of two failures, after so many ms. */
async function second(judged: ReturnType<typeof policy>, afterMs: number) {
  const asked = request({ bearer: rawKey() });
  const gate = ports({ failures: failureBook() });
  await check(gate, judged, asked, NOW);
  const decision = await check(gate, judged, asked, NOW + afterMs);
  const context = { facts: {}, nowMs: NOW + afterMs };
  const answer = writeDecision(judged, asked, decision, context);
  if (answer.kind !== 'denied') throw new Error('it was let in');
  const { status, headers, body } = answer;
  return { status, headers: new Map(headers), body: JSON.parse(body) };
}

test.each([
  [1, 300],
  [1000, 299],
  [BLOCK_MS - 1, 1],
])('a block says in Retry-After how long it runs: after %d ms %d s', async (afterMs, seconds) => {
  const windows = [{ limit: 1, lengthMs: 60_000 }];
  const failures = [{ by: 'ip' as const, windows, blockMs: BLOCK_MS }];
  const blocking = policy({ routes: [{}], alerts: { failures } });
  const { status, headers, body } = await second(blocking, afterMs);
  expect([status, body.reason, body.error]).toEqual([429, 'too_many_failures', 'RATE_LIMITED']);
  expect(headers.get('retry-after')).toBe(String(seconds));
  expect(headers.has('x-ratelimit-limit')).toBe(false);
  expect(headers.has('www-authenticate')).toBe(false);
});

test('a limit on: refused says in Retry-After when its window ends, and which it is', async () => {
  const limits = [{ name: 'bad', by: 'ip', on: 'refused', per_minute: 1 }] as const;
  const { headers } = await second(policy({ routes: [{ limits }] }), 1);
  expect(headers.get('retry-after')).toBe('30');
  expect(headers.get('x-ratelimit-policy')).toBe('1/minute');
  expect(headers.get('x-ratelimit-remaining')).toBe('0');
});
