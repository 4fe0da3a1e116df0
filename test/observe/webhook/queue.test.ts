import { expect, test } from 'vitest';
import {
  backOffMs,
  openWebhookQueue,
  type QueueOptions,
} from '../../../src/observe/webhook/queue.ts';
import { createWebhookSender } from '../../../src/observe/webhook/sender.ts';
import { openReceiver } from './receiver.ts';

type Hook = Awaited<ReturnType<typeof openReceiver>>;

/** A queue before a real receiver, that tries again after a millisecond; and what it counted. */
function open(hook: Hook, more: Partial<QueueOptions> = {}) {
  const counted: string[] = [];
  const queue = openWebhookQueue({
    openSender: (onResult) => createWebhookSender({ ...hook, timeoutMs: 2000, onResult }),
    onOutcome: (outcome) => counted.push(outcome),
    now: Date.now,
    delayMs: () => 1,
    ...more,
  });
  const push = (id: string) => queue.push({ id, body: JSON.stringify({ id }) });
  return { ...queue, push, counted };
}
const failing = (count: number) => (response: import('node:http').ServerResponse, at: number) =>
  void response.writeHead(at < count ? 500 : 204).end();
const ids = (hook: Hook) => hook.received.map(({ id }) => id);

test('messages leave in their order, one at a time', async () => {
  let open_ = 0;
  let most = 0;
  await using hook = await openReceiver((response) => {
    open_ += 1;
    most = Math.max(most, open_);
    setImmediate(() => {
      open_ -= 1;
      response.writeHead(204).end();
    });
  });
  const queue = open(hook);
  for (const id of ['a', 'b', 'c']) queue.push(id);
  await expect.poll(queue.waiting, { interval: 2 }).toBe(0);
  expect([ids(hook), most]).toEqual([['a', 'b', 'c'], 1]);
  expect(queue.counted).toEqual(['accepted', 'accepted', 'accepted']);
  await queue.close(0);
});

test('what fails is sent again under the same id, each time signed anew', async () => {
  await using hook = await openReceiver(failing(2));
  let nowMs = Date.now();
  const now = () => {
    nowMs += 1000;
    return nowMs;
  };
  const queue = open(hook, { now });
  queue.push('a');
  await expect.poll(queue.waiting, { interval: 2 }).toBe(0);
  expect(ids(hook)).toEqual(['a', 'a', 'a']);
  expect(hook.received.every(({ isSigned }) => isSigned)).toBe(true);
  expect(new Set(hook.received.map(({ timestamp }) => timestamp)).size).toBe(3);
  expect(queue.counted).toEqual(['failed', 'failed', 'accepted']);
  await queue.close(0);
});

test('a message that fails holds up no other', async () => {
  await using hook = await openReceiver(failing(1));
  const queue = open(hook, { delayMs: () => 3_600_000 });
  queue.push('a');
  await hook.until(1);
  queue.push('b');
  await hook.until(2);
  expect(ids(hook).slice(0, 2)).toEqual(['a', 'b']);
  // The receiver is back: what waits for it does not wait its hour out.
  await hook.until(3);
  expect(ids(hook)).toEqual(['a', 'b', 'a']);
  await queue.close(0);
});

test('a message that the receiver cannot take keeps its waits while others are taken', async () => {
  await using hook = await openReceiver((response, at) =>
    response.writeHead(hook.received[at]?.id === 'poison' ? 500 : 204).end(),
  );
  const queue = open(hook, { delayMs: () => 3_600_000 });
  queue.push('poison');
  for (let at = 0; at < 20; at += 1) {
    queue.push(`m${at}`);
    await expect.poll(queue.waiting, { interval: 1 }).toBe(1);
  }
  expect(queue.counted.filter((outcome) => outcome !== 'accepted')).toEqual(['failed', 'failed']);
  await queue.close(0);
});

test('a receiver that is away is not tried with every message', async () => {
  await using hook = await openReceiver(failing(Number.POSITIVE_INFINITY));
  const queue = open(hook, { delayMs: () => 3_600_000 });
  for (let at = 0; at < 50; at += 1) queue.push(`m${at}`);
  await hook.until(5);
  // Time enough for a message to another receiver is time enough for one to this.
  await using other = await openReceiver();
  const { send } = createWebhookSender(other);
  for (const id of ['a', 'b']) await send({ id, body: '{}', timeMs: Date.now() });
  expect([queue.waiting(), ids(hook)]).toEqual([50, ['m0', 'm1', 'm2', 'm3', 'm4']]);
  await queue.close(0);
});

test('a message is given up after twelve tries', async () => {
  await using hook = await openReceiver(failing(Number.POSITIVE_INFINITY));
  const queue = open(hook);
  queue.push('a');
  await expect.poll(queue.waiting, { interval: 2 }).toBe(0);
  expect(queue.counted).toEqual([...Array<string>(12).fill('failed'), 'dropped']);
  await queue.close(0);
});

test('a message that is refused is not sent again', async () => {
  await using hook = await openReceiver((response) => response.writeHead(410).end());
  const queue = open(hook);
  queue.push('a');
  await expect.poll(() => queue.counted, { interval: 2 }).toEqual(['refused', 'dropped']);
  await queue.close(0);
  expect(hook.received).toHaveLength(1);
});

test('a receiver that asks for time gets it, from all messages', async () => {
  await using hook = await openReceiver((response) =>
    response.writeHead(503, { 'retry-after': '3600' }).end(),
  );
  const queue = open(hook);
  queue.push('a');
  await expect.poll(() => queue.counted, { interval: 2 }).toEqual(['failed']);
  queue.push('b');
  // Time enough for a message to another receiver is time enough for one to this.
  await using other = await openReceiver();
  const { send } = createWebhookSender(other);
  expect(await send({ id: 'c', body: '{}', timeMs: Date.now() })).toBe('accepted');
  expect([queue.waiting(), ids(hook)]).toEqual([2, ['a']]);
  await queue.close(0);
});

test('no more messages wait than there is room for; the others are counted', async () => {
  await using hook = await openReceiver(() => {});
  const queue = open(hook, { messagesMax: 2 });
  for (const id of ['a', 'b', 'c', 'd']) queue.push(id);
  expect([queue.waiting(), queue.counted]).toEqual([2, ['dropped', 'dropped']]);
  await queue.close(0);
});

test('closing sends once more what waits', async () => {
  await using hook = await openReceiver(failing(1));
  const queue = open(hook, { delayMs: () => 3_600_000 });
  queue.push('a');
  await expect.poll(() => queue.counted, { interval: 2 }).toEqual(['failed']);
  await queue.close(5000);
  expect(queue.counted).toEqual(['failed', 'accepted']);
  queue.push('b');
  expect(queue.counted.at(-1)).toBe('dropped');
});

test('closing waits no longer than its grace, and counts what is lost', async () => {
  await using hook = await openReceiver(() => {});
  const queue = open(hook);
  for (const id of ['a', 'b']) queue.push(id);
  await hook.until(1);
  await queue.close(1);
  await expect.poll(() => queue.counted, { interval: 2 }).toEqual(['dropped', 'dropped', 'failed']);
  expect(queue.waiting()).toBe(0);
});

test('twelve tries take about half a day', () => {
  const waits = Array.from({ length: 11 }, (_, at) => backOffMs(at + 1, 0));
  expect(waits.slice(0, 3)).toEqual([1000, 3000, 9000]);
  const hours = waits.reduce((sum, ms) => sum + ms, 0) / 3_600_000;
  expect(Math.round(hours)).toBe(11);
  expect(backOffMs(2, 1)).toBe(3750);
});
