import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { Delivery } from '../../../src/observe/webhook/post.ts';
import { signatureOf } from '../../../src/observe/webhook/post.ts';
import { createWebhookSender } from '../../../src/observe/webhook/sender.ts';
import { newSecret, openReceiver } from './receiver.ts';

const message = (body = '{"type":"alert.new_country"}') => ({
  id: 'msg_1',
  timeMs: Date.now(),
  body,
});

test('a message is signed so that an independent library accepts it', async () => {
  await using hook = await openReceiver();
  const { send } = createWebhookSender(hook);
  expect(await send(message('{"name":"Zoë"}'))).toBe('accepted');
  expect(hook.received).toMatchObject([
    { path: '/hook', id: 'msg_1', isSigned: true, body: { name: 'Zoë' } },
  ]);
  expect(hook.received[0]?.contentType).toBe('application/json');
});

test('a message that was signed with another secret is refused by it', async () => {
  await using hook = await openReceiver();
  await createWebhookSender({ url: hook.url, secret: newSecret() }).send(message());
  expect(hook.received[0]?.isSigned).toBe(false);
});

test('the signature is that of the specification', () => {
  const secret = 'whsec_plJ3nmyCDGBKInavdOK15jsl';
  const body = '{"event_type":"ping","data":{"success":true}}';
  const signature = signatureOf(secret, 'msg_loFOjxBNrRLzqYUf', 1731705121, body);
  expect(signature).toBe('v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=');
});

test.each([
  [200, 'accepted'],
  [204, 'accepted'],
  [301, 'failed'],
  [400, 'refused'],
  [404, 'refused'],
  [408, 'failed'],
  [410, 'refused'],
  [429, 'failed'],
  [500, 'failed'],
  [503, 'failed'],
])('an answer with %i means %s', async (status, outcome) => {
  await using hook = await openReceiver((response) => response.writeHead(status).end());
  const seen: Delivery[] = [];
  const sender = createWebhookSender({ ...hook, onResult: (delivery) => seen.push(delivery) });
  expect(await sender.send(message())).toBe(outcome);
  expect(seen).toMatchObject([{ outcome, status }]);
});

test('a redirect is not followed', async () => {
  await using other = await openReceiver();
  await using hook = await openReceiver((response) =>
    response.writeHead(307, { location: other.url }).end(),
  );
  expect(await createWebhookSender(hook).send(message())).toBe('failed');
  expect(other.received).toEqual([]);
});

test.each([
  ['seconds', () => '7', 7000],
  ['a date', () => new Date(Date.now() + 60_000).toUTCString(), 60_000],
  ['nonsense', () => 'soon', undefined],
])('Retry-After as %s is told on', async (_, write, want) => {
  await using hook = await openReceiver((response) =>
    response.writeHead(503, { 'retry-after': write() }).end(),
  );
  let seen: Delivery | undefined;
  await createWebhookSender({
    ...hook,
    onResult: (delivery) => {
      seen = delivery;
    },
  }).send(message());
  if (want === undefined) expect(seen?.retryAfterMs).toBeUndefined();
  else expect(Math.abs((seen?.retryAfterMs ?? 0) - want)).toBeLessThan(5000);
});

test('an answer that never ends counts as what it said, once its connection is closed', async () => {
  await using hook = await openReceiver((response) =>
    response.writeHead(200, { 'content-length': 1000 }).flushHeaders(),
  );
  const { send } = createWebhookSender({ ...hook, timeoutMs: 100 });
  const beganMs = performance.now();
  expect(await send(message())).toBe('accepted');
  // Whoever went on with the first byte of the answer would open one connection after the other.
  expect(performance.now() - beganMs).toBeGreaterThan(80);
});

test('a receiver that never answers fails the message in bounded time', async () => {
  await using hook = await openReceiver(() => {});
  let seen: Delivery | undefined;
  const sender = createWebhookSender({
    ...hook,
    timeoutMs: 50,
    onResult: (delivery) => {
      seen = delivery;
    },
  });
  expect(await sender.send(message())).toBe('failed');
  expect(seen?.cause).toBe('late');
});

test('an answer whose body never ends counts by its status, and costs the connection', async () => {
  let isEnded = false;
  await using hook = await openReceiver((response) => {
    response.writeHead(200);
    const more = () => response.write(Buffer.alloc(65_536), more);
    more();
    response.on('close', () => {
      isEnded = true;
    });
  });
  expect(await createWebhookSender(hook).send(message())).toBe('accepted');
  await expect.poll(() => isEnded, { interval: 5 }).toBe(true);
});

test('a port where nobody listens fails the message', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  await new Promise((resolve) => server.close(resolve));
  let seen: Delivery | undefined;
  const sender = createWebhookSender({
    url: `http://127.0.0.1:${port}/`,
    secret: newSecret(),
    onResult: (delivery) => {
      seen = delivery;
    },
  });
  expect(await sender.send(message())).toBe('failed');
  expect(seen?.cause).toBe('ECONNREFUSED');
});

test('closing ends what is under way', async () => {
  await using hook = await openReceiver(() => {});
  const sender = createWebhookSender(hook);
  const sent = sender.send(message());
  await hook.until(1);
  sender.close();
  expect(await sent).toBe('failed');
});
