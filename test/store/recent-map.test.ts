import { describe, expect, test } from 'vitest';
import { createRecentMap } from '../../src/store/recent-map.ts';

const LARGE = 200_000;

describe('a small map', () => {
  test('forgets the one that was longest not put', () => {
    const map = createRecentMap<number>(3);
    for (const [at, key] of ['a', 'b', 'c', 'a', 'd'].entries()) map.put(key, at);
    expect(['a', 'b', 'c', 'd'].map(map.get)).toEqual([3, undefined, 2, 4]);
    expect(map.counts()).toEqual({ held: 3, forgotten: 1 });
  });

  test('of one entry holds the last', () => {
    const map = createRecentMap<string>(1);
    for (const key of ['a', 'b', '__proto__']) map.put(key, key);
    expect([map.get('b'), map.get('__proto__')]).toEqual([undefined, '__proto__']);
  });
});

describe('a large map', () => {
  test('never holds more than it may, and hardly less', () => {
    const map = createRecentMap<number>(LARGE);
    for (let at = 0; at < LARGE * 2; at += 1) map.put(`subject ${at}`, at);
    const { held, forgotten } = map.counts();
    expect(held).toBeLessThanOrEqual(LARGE);
    expect(held).toBeGreaterThan(LARGE * 0.95);
    expect(held + forgotten).toBe(LARGE * 2);
  });

  test('keeps what is in use while strangers come and go', () => {
    const map = createRecentMap<number>(LARGE);
    const used = Array.from({ length: 1000 }, (_, at) => `used ${at}`);
    for (const key of used) map.put(key, 1);
    for (let at = 0; at < LARGE * 2; at += 1) {
      map.put(`stranger ${at}`, at);
      const key = used[at % used.length] ?? '';
      map.put(key, (map.get(key) ?? 0) + 1);
    }
    const lost = used.filter((key) => map.get(key) !== 1 + (LARGE * 2) / used.length);
    expect(lost).toEqual([]);
  });
});

describe('any map', () => {
  test.each([3, LARGE])('of %i entries removes one, or all', (max) => {
    const map = createRecentMap<number>(max);
    for (const key of ['a', 'b', 'c']) map.put(key, 1);
    map.remove('b');
    map.remove('never');
    expect(['a', 'b', 'c'].map(map.get)).toEqual([1, undefined, 1]);
    map.clear();
    expect(map.counts()).toEqual({ held: 0, forgotten: 0 });
  });
});
