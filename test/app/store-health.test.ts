import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  stateOf,
  storePage,
  untilStoreAnswers,
  watchStore,
  writeUnanswered,
} from '../../src/app/store-health.ts';
import type { StoreHealth } from '../../src/store/store.ts';

const UP: StoreHealth = { isUp: true, isDegraded: false, nodes: [] };
const DEGRADED: StoreHealth = { ...UP, isDegraded: true };
const DOWN: StoreHealth = { isUp: false, isDegraded: true, nodes: [] };
const NEVER_SEEN: StoreHealth = { ...DOWN, unready: 'Redis has not answered yet' };
const NODE = { node: 'redis-0:6379', breaker: 'open', sinceMs: 0 } as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A watch over a store whose health the test sets, and the lines that it logs. */
function watch(first: StoreHealth) {
  const lines: (readonly [string, object, string])[] = [];
  const note = (level: string) => (facts: object, text: string) =>
    void lines.push([level, facts, text]);
  let health = first;
  let ups = 0;
  const watching = watchStore({
    store: { health: () => health },
    log: { info: note('info'), warn: note('warn') } as never,
    onUp: () => {
      ups += 1;
    },
  });
  return {
    ...watching,
    lines,
    levels: () => lines.map(([level]) => level),
    ups: () => ups,
    set: (next: StoreHealth) => {
      health = next;
      vi.advanceTimersByTime(500);
    },
  };
}

describe('the log of a store', () => {
  test('says nothing of one that is up', () => {
    const { lines, set, ups } = watch(UP);
    for (let turn = 0; turn < 10; turn += 1) set(UP);
    expect([lines, ups()]).toEqual([[], 11]);
  });

  test('says once that it went and once that it is back', () => {
    const { levels, set } = watch(UP);
    for (let turn = 0; turn < 20; turn += 1) set(DOWN);
    expect(levels()).toEqual(['warn']);
    for (let turn = 0; turn < 20; turn += 1) set(UP);
    expect(levels()).toEqual(['warn', 'info']);
  });

  test('says at a start without it what to do, why, and where', () => {
    const { lines, ups, close } = watch({ ...NEVER_SEEN, nodes: [NODE] });
    expect(lines).toEqual([
      [
        'warn',
        { nodes: ['redis-0:6379 open'], because: 'Redis has not answered yet' },
        expect.stringMatching(/not ready.*by itself.*address, user, password and TLS/),
      ],
    ]);
    expect(ups()).toBe(0);
    close();
  });

  test('tells degraded from down', () => {
    const { lines, set } = watch(DEGRADED);
    for (let turn = 0; turn < 20; turn += 1) set(DOWN);
    expect(lines.map(([, , text]) => text.split(':')[0])).toEqual([
      'the store is degraded',
      'the store does not answer',
    ]);
  });

  test('is no flood where it comes and goes, and ends with what holds', () => {
    const { levels, set } = watch(UP);
    for (let turn = 0; turn < 120; turn += 1) set(turn % 2 === 0 ? DOWN : UP);
    expect(levels().length).toBeLessThanOrEqual(16);
    for (let turn = 0; turn < 40; turn += 1) set(UP);
    expect(levels().at(-1)).toBe('info');
  });

  test('ends with the watch', () => {
    const { lines, set, close } = watch(UP);
    close();
    set(DOWN);
    expect(lines).toEqual([]);
  });
});

describe('the first contact', () => {
  test('is there at once for a store in this process', async () => {
    expect(await untilStoreAnswers({ health: () => UP }, 1000)).toBe(true);
  });

  test('is waited for', async () => {
    let health = NEVER_SEEN;
    const answered = untilStoreAnswers({ health: () => health }, 1000);
    await vi.advanceTimersByTimeAsync(900);
    health = UP;
    await vi.advanceTimersByTimeAsync(100);
    expect(await answered).toBe(true);
  });

  test('is waited for no longer than was said', async () => {
    const answered = untilStoreAnswers({ health: () => NEVER_SEEN }, 1000);
    await vi.advanceTimersByTimeAsync(1020);
    expect(await answered).toBe(false);
  });
});

test.each([
  [UP, 'up'],
  [DEGRADED, 'degraded'],
  [DOWN, 'down'],
  [{ ...DOWN, isDegraded: false }, 'down'],
])('%j is %s', (health, state) => {
  expect(stateOf(health)).toBe(state);
});

test('the page of a store names its servers; one without servers names none', () => {
  expect(storePage('redis', { ...DEGRADED, nodes: [NODE] })).toEqual({
    kind: 'redis',
    state: 'degraded',
    nodes: [{ node: 'redis-0:6379', breaker: 'open', since: '1970-01-01T00:00:00.000Z' }],
  });
  expect(storePage('memory', UP)).toEqual({ kind: 'memory', state: 'up' });
});

test('a command says which server did not answer, and why', () => {
  expect(writeUnanswered({ ...NEVER_SEEN, nodes: [NODE] })).toBe(
    'the store (redis-0:6379) does not answer: Redis has not answered yet',
  );
  expect(writeUnanswered(DOWN)).toBe('the store does not answer');
});
