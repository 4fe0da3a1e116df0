import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FailureRule } from '../../src/core/alert.ts';
import { blockEnd, type FailureSubject, noteFailure } from '../../src/core/failures-book.ts';
import { failureBook, NOW } from './build.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const ONE: FailureSubject = { by: 'ip', id: '203.0.113.9' };
const OTHER: FailureSubject = { by: 'ip', id: '203.0.113.10' };

const perMinute = (limit: number, blockMs?: number): FailureRule => ({
  by: 'ip',
  windows: [{ limit, lengthMs: MINUTE_MS }],
  blockMs,
});

/** Fails so often at a moment; answers what each failure came to. */
function fail(book = failureBook(), rules = [perMinute(3)], times = 1, atMs = NOW) {
  return Array.from({ length: times }, () => noteFailure(book, rules, ONE, atMs));
}

describe('a rule that counts failures', () => {
  const reached = { by: 'ip', limit: 3, windowMs: MINUTE_MS };

  test('is reached by the failure that comes to its limit, once in a window', () => {
    expect(fail(undefined, undefined, 6)).toEqual([[], [], [reached], [], [], []]);
  });

  test('is reached again in the next window', () => {
    const book = failureBook();
    fail(book, undefined, 5);
    expect(fail(book, undefined, 3, NOW + MINUTE_MS)).toEqual([[], [], [reached]]);
  });

  test('starts anew with each window, which begins with the minute', () => {
    const book = failureBook();
    fail(book, undefined, 2);
    const nextMs = Math.ceil(NOW / MINUTE_MS) * MINUTE_MS;
    expect(fail(book, undefined, 2, nextMs)).toEqual([[], []]);
    expect(fail(book, undefined, 1, nextMs)).toEqual([[reached]]);
  });

  test('is not opened again by a clock that was set back', () => {
    const book = failureBook();
    fail(book, undefined, 2);
    expect(fail(book, undefined, 1, NOW - HOUR_MS)).toEqual([[reached]]);
  });

  test('counts each subject by itself', () => {
    const book = failureBook();
    fail(book, undefined, 2);
    expect(noteFailure(book, [perMinute(3)], OTHER, NOW)).toEqual([]);
    expect(noteFailure(book, [perMinute(3)], { by: 'key', id: ONE.id }, NOW)).toEqual([]);
    expect(fail(book)).toEqual([[reached]]);
  });

  test('tells each of its windows', () => {
    const rule: FailureRule = {
      by: 'ip',
      windows: [
        { limit: 2, lengthMs: MINUTE_MS },
        { limit: 2, lengthMs: HOUR_MS },
        { limit: 3, lengthMs: HOUR_MS },
      ],
    };
    const told = fail(undefined, [rule], 3).map((all) => all.map(({ windowMs }) => windowMs));
    expect(told).toEqual([[], [MINUTE_MS, HOUR_MS], [HOUR_MS]]);
  });

  test('refuses nobody without a block', () => {
    const book = failureBook();
    fail(book, undefined, 9);
    expect(blockEnd(book, [perMinute(3)], ONE, NOW)).toBeUndefined();
  });

  test.each([
    ['a reload shortens it', 2 * MINUTE_MS, NOW],
    ['a clock is set back', HOUR_MS, NOW - 24 * HOUR_MS],
  ])('blocks no longer than the rule in force says when %s', (_, blockMs, nowMs) => {
    const book = failureBook();
    fail(book, [perMinute(3, HOUR_MS)], 3);
    const rules = [perMinute(3, blockMs)];
    expect(blockEnd(book, rules, ONE, nowMs)).toBe(nowMs + blockMs);
    expect(blockEnd(book, rules, ONE, nowMs + MINUTE_MS)).toBe(nowMs + blockMs);
    expect(blockEnd(book, rules, ONE, nowMs + blockMs)).toBeUndefined();
  });

  test('goes on counting under a rule that replaces it', () => {
    const book = failureBook();
    fail(book, [perMinute(3)], 2);
    expect(fail(book, [perMinute(4)], 2).flat()).toEqual([{ ...reached, limit: 4 }]);
  });
});

describe('a block', () => {
  const rules = [perMinute(3, 5000)];

  test('runs from the failure that comes to the limit, as long as the rule says', () => {
    const book = failureBook();
    fail(book, rules, 2);
    expect(blockEnd(book, rules, ONE, NOW)).toBeUndefined();
    fail(book, rules, 1);
    expect(blockEnd(book, rules, ONE, NOW)).toBe(NOW + 5000);
    expect(blockEnd(book, rules, ONE, NOW + 4999)).toBe(NOW + 5000);
    expect(blockEnd(book, rules, ONE, NOW + 5000)).toBeUndefined();
    expect(blockEnd(book, rules, OTHER, NOW)).toBeUndefined();
  });

  test('begins again with one more failure in the same window', () => {
    const book = failureBook();
    fail(book, rules, 3);
    fail(book, rules, 1, NOW + 6000);
    expect(blockEnd(book, rules, ONE, NOW + 6000)).toBe(NOW + 11_000);
  });

  test('ends with the rule that made it', () => {
    const book = failureBook();
    fail(book, rules, 3);
    expect(blockEnd(book, [perMinute(3)], ONE, NOW)).toBeUndefined();
    expect(blockEnd(book, [{ ...perMinute(3, 5000), by: 'key' }], ONE, NOW)).toBeUndefined();
  });

  test('is the longest of those that rules give', () => {
    const both = [perMinute(3, 9000), perMinute(2, 5000)];
    const book = failureBook();
    fail(book, both, 2);
    expect(blockEnd(book, both, ONE, NOW)).toBe(NOW + 5000);
    fail(book, both, 1);
    expect(blockEnd(book, both, ONE, NOW)).toBe(NOW + 9000);
  });

  test('is not pushed out by new subjects, however many; their counts are bounded', () => {
    const book = failureBook(10);
    fail(book, rules, 3);
    for (let at = 0; at < 1000; at += 1) {
      noteFailure(book, rules, { by: 'ip', id: `2001:db8:${at}::/64` }, NOW);
    }
    expect(blockEnd(book, rules, ONE, NOW)).toBe(NOW + 5000);
    expect(book.counts.get(`ip\n${ONE.id}`)).toBeUndefined();
  });

  test('of a source that goes on outlasts blocks of those that gave up', () => {
    const book = failureBook(10);
    fail(book, rules, 3);
    for (let at = 0; at < 30; at += 1) {
      for (let again = 0; again < 3; again += 1) {
        noteFailure(book, rules, { by: 'ip', id: `192.0.2.${at}` }, NOW);
      }
      expect(blockEnd(book, rules, ONE, NOW)).toBe(NOW + 5000);
    }
    expect(blockEnd(book, rules, { by: 'ip', id: '192.0.2.0' }, NOW)).toBeUndefined();
  });
});

/** A failure, or a look at whether its subject is blocked, so many ms after the one before. */
type Step = { readonly by: 'ip' | 'key'; readonly who: number; readonly afterMs: number };

const step: fc.Arbitrary<Step> = fc.record({
  by: fc.constantFrom('ip' as const, 'key' as const),
  who: fc.integer({ min: 0, max: 2 }),
  afterMs: fc.constantFrom(0, 0, 0, 400, 900, 7000, 61_000),
});

const rule: fc.Arbitrary<FailureRule> = fc.record({
  by: fc.constantFrom('ip' as const, 'key' as const),
  windows: fc.array(
    fc.record({
      limit: fc.integer({ min: 1, max: 4 }),
      lengthMs: fc.constantFrom(1000, MINUTE_MS, HOUR_MS),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  blockMs: fc.constantFrom(undefined, 300, 5000, MINUTE_MS),
});

test('every count, limit and block is what the log of all failures says', () => {
  const property = fc.property(
    fc.array(rule, { maxLength: 3 }),
    fc.array(step, { maxLength: 40 }),
    (rules, steps) => {
      const book = failureBook();
      const log: { readonly entry: string; readonly atMs: number }[] = [];
      const ends = new Map<string, number>();
      let nowMs = NOW;
      for (const { by, who, afterMs } of steps) {
        nowMs += afterMs;
        const subject = { by, id: String(who) };
        const entry = by + who;
        const own = rules.filter((one) => one.by === by);
        const end = ends.get(entry) ?? 0;
        expect(blockEnd(book, rules, subject, nowMs)).toBe(end > nowMs ? end : undefined);
        log.push({ entry, atMs: nowMs });
        const windowOf = (atMs: number, lengthMs: number) => Math.floor(atMs / lengthMs);
        const counted = (lengthMs: number) =>
          log.filter(
            (one) =>
              one.entry === entry && windowOf(one.atMs, lengthMs) === windowOf(nowMs, lengthMs),
          ).length;
        const told = own.flatMap(({ windows }) =>
          windows
            .filter(({ limit, lengthMs }) => counted(lengthMs) === limit)
            .map(({ limit, lengthMs }) => ({ by, limit, windowMs: lengthMs })),
        );
        expect(noteFailure(book, rules, subject, nowMs)).toEqual(told);
        const blocking = own.filter(({ windows }) =>
          windows.some(({ limit, lengthMs }) => counted(lengthMs) >= limit),
        );
        const untilMs = Math.max(end, ...blocking.map(({ blockMs = 0 }) => nowMs + blockMs));
        if (untilMs > nowMs) ends.set(entry, untilMs);
      }
    },
  );
  fc.assert(property, { numRuns: 200 });
});
