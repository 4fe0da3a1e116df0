import { expect, test } from 'vitest';
import { createGateCache } from '../../src/store/gate-cache.ts';

/** A cache over a world of values, and how often it was read. */
function openCache(keepsFirst: boolean, max = 100) {
  const world = new Map<string, object>();
  const cache = createGateCache<object>({ max, keepsFirst });
  const state = { reads: 0 };
  const find = (name: string) =>
    cache.find(name, () => {
      state.reads += 1;
      return world.get(name);
    });
  return { world, cache, state, find };
}

test.each([
  [false, 'second'],
  [true, 'first'],
])('with keepsFirst %s a value is kept from its %s use on', (keepsFirst) => {
  const { world, state, find } = openCache(keepsFirst);
  const value = {};
  world.set('a', value);
  for (let at = 0; at < 5; at += 1) expect(find('a')).toBe(value);
  expect(state.reads).toBe(keepsFirst ? 1 : 2);
});

test('that there is nothing is remembered too, from the second time on', () => {
  const { world, cache, state, find } = openCache(true);
  for (let at = 0; at < 5; at += 1) expect(find('a')).toBeUndefined();
  expect(state.reads).toBe(2);
  world.set('a', {});
  expect(find('a')).toBeUndefined();
  cache.drop('a');
  expect(find('a')).toBe(world.get('a'));
});

test.each(['drop', 'clear'] as const)('after a %s the world is asked again', (way) => {
  const { world, cache, find } = openCache(true);
  world.set('a', {});
  find('a');
  world.delete('a');
  expect(find('a')).toBeDefined();
  cache[way]('a');
  expect(find('a')).toBeUndefined();
});

test('guessed names push no value out', () => {
  const { world, state, find } = openCache(true, 1);
  world.set('a', {});
  find('a');
  for (let at = 0; at < 10_000; at += 1) find(`guess ${at % 5000}`);
  const before = state.reads;
  find('a');
  expect(state.reads).toBe(before);
});
