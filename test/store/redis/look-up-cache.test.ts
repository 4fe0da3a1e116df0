import { expect, test } from 'vitest';
import { createLookUps, type Found } from '../../../src/store/redis/gate/look-up-cache.ts';
import type { Stamp } from '../../../src/store/redis/gate/news.ts';

type Value = { readonly name: string };

const stampOf = (number: number): Stamp => ({ number, text: `${number}:x` });

/** Look-ups whose reads are answered by hand. */
function openLookUps({ keepsFirst = true, max = 100 } = {}) {
  const reads: {
    name: string;
    answer: (found: Found<Value>) => void;
    fail: (cause: Error) => void;
  }[] = [];
  const trust = { isCurrent: true, followed: 0 };
  const lookUps = createLookUps<Value>({
    max,
    keepsFirst,
    isCurrent: () => trust.isCurrent,
    isNews: (stamp) => stamp.number >= trust.followed,
    read: (name) =>
      new Promise((answer, fail) => {
        reads.push({ name, answer, fail });
      }),
  });
  /** Looks up, and answers the read that this begins. */
  const learn = async (name: string, value: Value | undefined, number = 0) => {
    const before = reads.length;
    const found = lookUps.find(name);
    if (reads.length > before) reads.at(-1)?.answer({ value, stamp: stampOf(number) });
    return found;
  };
  return { lookUps, reads, trust, learn };
}

const value = { name: 'a' };

test('what is at hand is answered at once, and is the same object', async () => {
  const { lookUps, learn } = openLookUps();
  await learn('a', value);
  expect(lookUps.find('a')).toBe(value);
  expect(lookUps.find('b')).toBeInstanceOf(Promise);
});

test.each([
  [false, 2],
  [true, 1],
])('with keepsFirst %s a value is read %i times', async (keepsFirst, count) => {
  const { reads, learn } = openLookUps({ keepsFirst });
  for (let at = 0; at < 5; at += 1) expect(await learn('a', value)).toBe(value);
  expect(reads).toHaveLength(count);
});

test('that there is nothing is remembered from the second time on', async () => {
  const { reads, learn, lookUps } = openLookUps();
  for (let at = 0; at < 5; at += 1) expect(await learn('a', undefined)).toBeUndefined();
  expect(reads).toHaveLength(2);
  expect(lookUps.find('a')).toBeUndefined();
});

test('those who ask while a name is read share the answer', async () => {
  const { lookUps, reads } = openLookUps();
  const asked = Array.from({ length: 100 }, () => lookUps.find('a'));
  reads[0]?.answer({ value, stamp: stampOf(0) });
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 100 }, () => value));
  expect(reads).toHaveLength(1);
});

test('a failure reaches all who wait, and the next one asks again', async () => {
  const { lookUps, reads, learn } = openLookUps();
  const asked = [lookUps.find('a'), lookUps.find('a')];
  reads[0]?.fail(new Error('down'));
  for (const one of await Promise.allSettled(asked)) expect(one.status).toBe('rejected');
  expect(await learn('a', value)).toBe(value);
});

test('what was dropped while it was read is neither kept nor answered to those who come later', async () => {
  const { lookUps, reads } = openLookUps();
  const before = lookUps.find('a');
  lookUps.drop('a');
  const after = lookUps.find('a');
  expect(reads).toHaveLength(2);
  const newer = { name: 'newer' };
  reads[1]?.answer({ value: newer, stamp: stampOf(1) });
  reads[0]?.answer({ value, stamp: stampOf(0) });
  expect([await before, await after]).toEqual([value, newer]);
  expect(lookUps.find('a')).toBe(newer);
});

test('the late answer to an old read takes nothing from a newer one that is on its way', async () => {
  const { lookUps, reads } = openLookUps();
  const before = lookUps.find('a');
  lookUps.clear();
  const after = lookUps.find('a');
  reads[0]?.answer({ value, stamp: stampOf(0) });
  await before;
  expect(lookUps.find('a')).toBe(after);
});

test('what is older than what was followed is answered, but not kept', async () => {
  const { lookUps, reads, trust } = openLookUps();
  const asked = lookUps.find('a');
  trust.followed = 5;
  reads[0]?.answer({ value, stamp: stampOf(4) });
  expect(await asked).toBe(value);
  expect(lookUps.find('a')).toBeInstanceOf(Promise);
});

test.each([
  [4, true],
  [5, true],
  [6, false],
])('of what was read after change 5, change %i leaves it there: %s', async (number, isKept) => {
  const { lookUps, learn } = openLookUps();
  await learn('a', value, 5);
  lookUps.drop('a', number);
  expect(lookUps.find('a') === value).toBe(isKept);
});

test('without trust what is remembered is asked for again, and holds when trust is back', async () => {
  const { lookUps, learn, trust, reads } = openLookUps({ keepsFirst: false });
  await learn('a', value);
  await learn('a', value);
  trust.isCurrent = false;
  const newer = { name: 'newer' };
  expect(await learn('a', newer)).toBe(newer);
  expect(reads).toHaveLength(3);
  trust.isCurrent = true;
  expect(lookUps.find('a')).toBe(newer);
});

test('a value that went is not found behind its absence, nor an absence behind its value', async () => {
  const { lookUps, learn, trust } = openLookUps();
  await learn('a', value);
  trust.isCurrent = false;
  await learn('a', undefined, 1);
  trust.isCurrent = true;
  expect(lookUps.find('a')).toBeUndefined();
  lookUps.drop('a');
  expect(await learn('a', value, 2)).toBe(value);
  expect(lookUps.find('a')).toBe(value);
});

test('guessed names push no value out', async () => {
  const { lookUps, learn } = openLookUps({ max: 1 });
  await learn('a', value);
  for (let at = 0; at < 10_000; at += 1) await learn(`guess ${at % 5000}`, undefined);
  expect(lookUps.find('a')).toBe(value);
});
