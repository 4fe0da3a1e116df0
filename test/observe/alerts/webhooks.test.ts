import { expect, test } from 'vitest';
import { type AlertWebhook, alertEvent } from '../../../src/core/alert.ts';
import { createAlertWebhooks } from '../../../src/observe/alerts/webhooks.ts';
import { openReceiver } from '../webhook/receiver.ts';
import { alertOf } from './checks.ts';

const COUNTRY = alertEvent(alertOf({ facts: { country: 'CH' } }), 'id-1', 0);
const NETWORK = alertEvent(alertOf({ name: 'new_network' }), 'id-2', 0);

/** Webhooks of a policy, and what was counted of each. */
function open(...webhooks: readonly AlertWebhook[]) {
  const counted: string[] = [];
  const hosts = new Set<string>();
  const opened = createAlertWebhooks(({ webhook, outcome, host }) => {
    counted.push(`${webhook} ${outcome}`);
    hosts.add(host);
  });
  opened.use(webhooks);
  return { ...opened, counted, hosts };
}

test('a message has its type, its time and the event, under the id of the event', async () => {
  await using hook = await openReceiver();
  const webhooks = open(hook);
  webhooks.send('new_country', COUNTRY);
  await hook.until(1);
  expect(hook.received).toMatchObject([{ id: 'id-1', isSigned: true }]);
  expect(hook.received[0]?.body).toEqual({
    type: 'alert.new_country',
    timestamp: COUNTRY.time,
    data: JSON.parse(JSON.stringify(COUNTRY)),
  });
  await webhooks.close(1000);
  expect([webhooks.counted, [...webhooks.hosts]]).toEqual([
    ['alerts-1 accepted'],
    [new URL(hook.url).host],
  ]);
});

test('each webhook gets the alerts that it takes', async () => {
  await using all = await openReceiver();
  await using some = await openReceiver();
  const webhooks = open(all, { ...some, alerts: new Set(['new_network']) });
  webhooks.send('new_country', COUNTRY);
  webhooks.send('new_network', NETWORK);
  await webhooks.close(5000);
  expect(all.received.map(({ id }) => id)).toEqual(['id-1', 'id-2']);
  expect(some.received.map(({ id }) => id)).toEqual(['id-2']);
});

test('a webhook that is named twice is sent each alert once', async () => {
  await using hook = await openReceiver();
  const webhooks = open(
    { ...hook, alerts: new Set(['new_country']) },
    { ...hook, alerts: new Set(['new_network', 'new_country']) },
  );
  webhooks.send('new_country', COUNTRY);
  webhooks.send('new_network', NETWORK);
  await webhooks.close(5000);
  expect(hook.received.map(({ id }) => id)).toEqual(['id-1', 'id-2']);
});

test('a webhook that a new policy keeps keeps what waits for it, under its new place', async () => {
  let isDown = true;
  await using hook = await openReceiver((response) => response.writeHead(isDown ? 503 : 204).end());
  await using other = await openReceiver();
  const webhooks = open(hook);
  webhooks.send('new_country', COUNTRY);
  await expect.poll(() => webhooks.counted).toEqual(['alerts-1 failed']);
  webhooks.use([other, hook]);
  expect(webhooks.waiting()).toEqual([
    { webhook: 'alerts-1', waiting: 0 },
    { webhook: 'alerts-2', waiting: 1 },
  ]);
  isDown = false;
  await webhooks.close(5000);
  expect(webhooks.counted.at(-1)).toBe('alerts-2 accepted');
});

test('what waits for a webhook that is gone is given up, and counted', async () => {
  await using hook = await openReceiver((response) => response.writeHead(503).end());
  const webhooks = open(hook);
  webhooks.send('new_country', COUNTRY);
  await expect.poll(() => webhooks.counted).toEqual(['alerts-1 failed']);
  webhooks.use([]);
  webhooks.send('new_country', COUNTRY);
  await expect.poll(() => webhooks.counted.slice(0, 3)).toContain('alerts-1 dropped');
  expect(webhooks.waiting()).toEqual([]);
  expect(hook.received).toHaveLength(1);
});

test('a webhook that never answers holds up no other', async () => {
  await using dead = await openReceiver(() => {});
  await using hook = await openReceiver();
  const webhooks = open(dead, hook);
  webhooks.send('new_country', COUNTRY);
  webhooks.send('new_network', NETWORK);
  await hook.until(2);
  await expect
    .poll(() => webhooks.waiting())
    .toEqual([
      { webhook: 'alerts-1', waiting: 2 },
      { webhook: 'alerts-2', waiting: 0 },
    ]);
  await webhooks.close(0);
});
