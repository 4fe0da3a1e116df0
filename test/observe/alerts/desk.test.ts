import { expect, test } from 'vitest';
import { ALERTS, type AlertName } from '../../../src/core/alert.ts';
import type { Policy } from '../../../src/core/policy.ts';
import type { AuditEvent } from '../../../src/core/records.ts';
import { createAlertDesk } from '../../../src/observe/alerts/desk.ts';
import { NOW } from '../../core/build.ts';
import { alertOf, alertPolicy, answer, WITH_KEY } from './checks.ts';

const HOUR_MS = 3_600_000;

/** A desk whose stream, store and webhooks the test reads. */
function open(policy: Policy) {
  const told: AuditEvent[] = [];
  const kept: AuditEvent[] = [];
  const sent: AlertName[] = [];
  const counted: string[] = [];
  let ids = 0;
  const state = { policy };
  const desk = createAlertDesk({
    policy: () => state.policy,
    mask: (value) => `masked:${value.length}`,
    makeId: () => `id-${++ids}`,
    tell: (event) => told.push(event),
    records: { recordEvent: (event) => kept.push(event) },
    send: (name) => sent.push(name),
    metric: {
      raised: (name) => counted.push(`raised ${name}`),
      suppressed: (name) => counted.push(`suppressed ${name}`),
    },
    watchers: [],
  });
  return { ...desk, told, kept, sent, counted, state };
}

test('an alert goes to the stream, the store, the webhooks and the metric', async () => {
  const desk = open(await alertPolicy());
  desk.raise(alertOf({ workspace: 'acme', address: '192.0.2.1', facts: { country: 'CH' } }));
  expect(desk.told).toEqual([
    {
      id: 'id-1',
      time: new Date(NOW).toISOString(),
      event: 'alert.new_country',
      workspace_id: 'acme',
      object: { kind: 'key', id: 'key-1' },
      request_id: undefined,
      address: '192.0.2.1',
      facts: { severity: 'high', title: ALERTS.new_country.title, country: 'CH' },
    },
  ]);
  expect(desk.kept).toEqual(desk.told);
  expect([desk.sent, desk.counted]).toEqual([['new_country'], ['raised new_country']]);
});

test('an alert about one subject is told once in its cool-down; the next says how many were not', async () => {
  const desk = open(await alertPolicy());
  for (const ageMs of [0, 1, HOUR_MS - 1, HOUR_MS]) desk.raise(alertOf({ timeMs: NOW + ageMs }));
  expect(desk.told.map(({ facts }) => facts?.['suppressed'])).toEqual([undefined, '2']);
  expect(desk.counted.filter((one) => one.startsWith('suppressed'))).toHaveLength(2);
});

test('another subject and another name have cool-downs of their own', async () => {
  const desk = open(await alertPolicy());
  desk.raise(alertOf());
  desk.raise(alertOf({ subject: 'key-2' }));
  desk.raise(alertOf({ name: 'new_network' }));
  expect(desk.told).toHaveLength(3);
});

test('a check that began earlier and was answered later is in the same cool-down', async () => {
  const desk = open(await alertPolicy());
  desk.raise(alertOf());
  desk.raise(alertOf({ timeMs: NOW - 5 }));
  expect(desk.told).toHaveLength(1);
});

test('a clock that is set back silences nothing', async () => {
  const desk = open(await alertPolicy());
  desk.raise(alertOf());
  desk.raise(alertOf({ timeMs: NOW - 10 * HOUR_MS }));
  expect(desk.told).toHaveLength(2);
});

test('a new policy holds at once: its cool-down, and what it mutes', async () => {
  const desk = open(await alertPolicy());
  desk.raise(alertOf());
  desk.state.policy = await alertPolicy('alerts: { cool_down: 1s }');
  desk.raise(alertOf({ timeMs: NOW + 1000 }));
  desk.state.policy = await alertPolicy('alerts: { cool_down: 1s, mute: [new_country] }');
  desk.raise(alertOf({ timeMs: NOW + 2000 }));
  expect(desk.told).toHaveLength(2);
  expect(desk.counted).toHaveLength(2);
});

test('names of users and addresses are masked as the policy says', async () => {
  const desk = open(await alertPolicy('audit: { mask: [username, address] }'));
  desk.raise(alertOf({ address: '192.0.2.1', facts: { username: 'ada' } }));
  expect(desk.told[0]?.address).toBe('masked:9');
  expect(desk.told[0]?.facts?.['username']).toBe('masked:3');
});

test('the summary has every alert, with counts and times', async () => {
  const desk = open(await alertPolicy());
  for (const ageMs of [0, 1, HOUR_MS]) desk.raise(alertOf({ timeMs: NOW + ageMs }));
  const summary = desk.summary();
  expect(summary.map(({ name }) => name)).toEqual(Object.keys(ALERTS));
  expect(summary.find(({ name }) => name === 'new_country')).toEqual({
    ...{ name: 'new_country', count: 2, suppressed: 1 },
    ...{ firstMs: NOW, lastMs: NOW + HOUR_MS },
  });
  expect(summary.find(({ name }) => name === 'new_network')).toEqual({
    ...{ name: 'new_network', count: 0, suppressed: 0 },
  });
});

test('the use of a sensitive route is told, by whom and how', async () => {
  const policy = await alertPolicy();
  const desk = open(policy);
  desk.watch(await answer(policy, { ...WITH_KEY, path: '/vault/1', method: 'DELETE' }));
  expect(desk.told).toMatchObject([
    {
      event: 'alert.sensitive_route',
      workspace_id: 'acme',
      object: { kind: 'key', id: 'key-1' },
      request_id: 'req-1',
      address: '203.0.113.9',
      facts: { route: 'vault', http_method: 'DELETE', method: 'api_key', username: 'ada' },
    },
  ]);
});

test('each caller of a sensitive route is told of; anonymous ones by their addresses', async () => {
  const policy = await alertPolicy();
  const desk = open(policy);
  const addresses = ['192.0.2.1', '192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2'];
  for (const address of addresses) desk.watch(await answer(policy, { path: '/vault/1', address }));
  expect(desk.told.map(({ address }) => address)).toEqual([
    '192.0.2.1',
    '192.0.2.2',
    '2001:db8::1',
  ]);
});

test('neither other routes nor refusals on a sensitive one are told', async () => {
  const policy = await alertPolicy();
  const desk = open(policy);
  desk.watch(await answer(policy));
  desk.watch(await answer(policy, { path: '/vault/1', bearer: 'pst_wrong' }));
  expect(desk.told).toEqual([]);
});

test('failures that reach a rule are told, of the address without the key', async () => {
  const policy = await alertPolicy();
  const desk = open(policy);
  const reached = [
    { by: 'ip', limit: 20, windowMs: 60_000 },
    { by: 'key', limit: 5, windowMs: 3_600_000 },
  ] as const;
  desk.watch(await answer(policy, undefined, { reached }));
  expect(desk.told.map(({ event, object, facts }) => [event, object, facts?.['failures']])).toEqual(
    [
      ['alert.failures_from_source', undefined, '20'],
      ['alert.failures_of_key', { kind: 'key', id: 'key-1' }, '5'],
    ],
  );
  expect(desk.told[0]).toMatchObject({ address: '203.0.113.9', facts: { seconds: '60' } });
});

test('failures of one IPv6 network are one source, and those of nobody knows whom', async () => {
  const policy = await alertPolicy();
  const desk = open(policy);
  const reached = [{ by: 'ip', limit: 20, windowMs: 60_000 }] as const;
  const addresses = ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1', undefined, undefined];
  for (const address of addresses) desk.watch(await answer(policy, { address }, { reached }));
  expect(desk.told.map(({ address }) => address)).toEqual([
    ...['2001:db8::1', '2001:db8:0:1::1', undefined],
  ]);
});
