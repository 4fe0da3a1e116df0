import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { openQueue } from '../../../src/observe/audit/queue.ts';

test('an event is counted from its coming until its end, and once', () => {
  const queue = openQueue();
  const first = queue.put('aaaa');
  const second = queue.put('bb');
  if (!first || !second) throw new Error('there was room');
  expect(queue.waiting()).toEqual({ events: 2, bytes: 8 });
  expect([queue.withdraw(second), queue.withdraw(second)]).toEqual([true, false]);
  expect(queue.waiting()).toEqual({ events: 1, bytes: 5 });
  const batch = queue.take();
  expect(batch).toEqual([first]);
  expect([queue.withdraw(first), queue.waiting().events]).toEqual([false, 1]);
  queue.done(batch, []);
  expect([queue.withdraw(first), queue.isEmpty()]).toEqual([false, true]);
  expect(queue.waiting()).toEqual({ events: 0, bytes: 0 });
});

test('what is to be tried again goes before what came later', () => {
  const queue = openQueue();
  queue.put('a');
  const batch = queue.take();
  queue.put('b');
  queue.done(batch, batch);
  expect(queue.take().map((entry) => entry.kind === 'event' && entry.text)).toEqual(['a', 'b']);
  expect(queue.waiting().events).toBe(2);
});

test('what is dropped leaves its number at its place', () => {
  const queue = openQueue();
  const noRoom = () => false;
  queue.put('a');
  expect([queue.put('b', undefined, noRoom), queue.put('c', undefined, noRoom)]).toEqual([
    undefined,
    undefined,
  ]);
  queue.put('d');
  expect(queue.take()).toMatchObject([{ text: 'a' }, { kind: 'gap', count: 2 }, { text: 'd' }]);
});

test('a batch ends after about a mebibyte', () => {
  const queue = openQueue();
  for (let at = 0; at < 5; at += 1) queue.put('x'.repeat(400_000));
  expect(queue.take()).toHaveLength(3);
  expect(queue.take()).toHaveLength(2);
});

test('what is taken back takes no memory, though no batch is ever taken', () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const queue = openQueue();
  const heldBytes = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heldBytes();
  for (let at = 0; at < 128; at += 1) {
    const event = queue.put(Buffer.alloc(512 * 1024, at).toString('latin1'));
    if (event) queue.withdraw(event);
  }
  expect(heldBytes() - before).toBeLessThan(16 * 1024 * 1024);
  expect(queue.isEmpty()).toBe(true);
});

test('gaps become one when what stood between them is taken back', () => {
  const queue = openQueue();
  const noRoom = () => false;
  for (let at = 0; at < 3; at += 1) {
    queue.put('dropped', undefined, noRoom);
    const event = queue.put('taken back');
    queue.put('dropped', undefined, noRoom);
    if (event) queue.withdraw(event);
  }
  queue.put('a');
  expect(queue.take()).toMatchObject([{ kind: 'gap', count: 6 }, { text: 'a' }]);
});
