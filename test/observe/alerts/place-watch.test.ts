import { describe, expect, test } from 'vitest';
import type { Alert } from '../../../src/core/alert.ts';
import type { Place } from '../../../src/observe/alerts/place.ts';
import type { PlaceKind } from '../../../src/observe/alerts/place-history.ts';
import { createPlaceWatch } from '../../../src/observe/alerts/place-watch.ts';
import { openMemoryStore } from '../../../src/store/sql/memory.ts';
import { alertPolicy, answer, WITH_KEY } from './checks.ts';

const PLACES: { readonly [address: string]: Place } = {
  '192.0.2.1': { country: 'CH', network: 'AS64500', networkName: 'One' },
  '192.0.2.200': { country: 'CH', network: 'AS64500' },
  '198.51.100.1': { country: 'CH', network: 'AS64501', networkName: 'Two' },
  '203.0.113.1': { country: 'NZ', network: 'AS64502' },
  '2001:db8::1': { country: 'BR', network: 'AS64503' },
};

/** A watch over a real store, which may be shared with another. */
async function open(by: readonly PlaceKind[] = ['country', 'network'], shared?: Memory) {
  const policy = await alertPolicy();
  const store = shared ?? openMemoryStore({ maxSubjects: 10 });
  const raised: Alert[] = [];
  const failures: unknown[] = [];
  const looked: string[] = [];
  const state = { isDown: false };
  const guard = <T>(work: () => Promise<T>) =>
    state.isDown ? Promise.reject(new Error('down')) : work();
  const watch = createPlaceWatch({
    find: (address) => {
      looked.push(address);
      return PLACES[address] ?? {};
    },
    by,
    store: {
      getSetting: (name) => guard(() => store.getSetting(name)),
      putSetting: (name, value) => guard(() => store.putSetting(name, value)),
    },
    raise: (alert) => raised.push(alert),
    onFailure: (cause) => failures.push(cause),
  });
  const useFrom = async (...addresses: readonly string[]) => {
    for (const address of addresses) watch.note(await answer(policy, { ...WITH_KEY, address }));
    await watch.settled();
  };
  const told = () =>
    raised.map(({ name, facts }) => `${name} ${facts['country']} ${facts['network']}`);
  return { ...watch, policy, store, raised, failures, looked, state, useFrom, told };
}
type Memory = ReturnType<typeof openMemoryStore>;

describe('a key that is used', () => {
  test('from its first place ever is no news', async () => {
    const watch = await open();
    await watch.useFrom('192.0.2.1', '192.0.2.1');
    expect(watch.told()).toEqual([]);
  });

  test('from a new country is told once, with what was known', async () => {
    const watch = await open();
    await watch.useFrom('192.0.2.1', '203.0.113.1', '203.0.113.1');
    expect(watch.raised).toMatchObject([
      {
        name: 'new_country',
        keyId: 'key-1',
        workspace: 'acme',
        address: '203.0.113.1',
        facts: { country: 'NZ', network: 'AS64502', known: 'CH', route: 'all', username: 'ada' },
      },
    ]);
  });

  test('from a new network of a known country is told as such', async () => {
    const watch = await open();
    await watch.useFrom('192.0.2.1', '198.51.100.1');
    expect(watch.told()).toEqual(['new_network CH AS64501']);
    expect(watch.raised[0]?.facts).toMatchObject({ known: 'AS64500', network_name: 'Two' });
  });

  test('from a place that the databases do not know teaches nothing', async () => {
    const watch = await open();
    await watch.useFrom('10.0.0.1', '192.0.2.1', '127.0.0.1');
    expect(watch.told()).toEqual([]);
  });

  test('is judged by countries alone where the policy says so', async () => {
    const watch = await open(['country']);
    await watch.useFrom('192.0.2.1', '198.51.100.1', '203.0.113.1');
    expect(watch.told()).toEqual(['new_country NZ AS64502']);
  });

  test('is judged by networks alone where the policy says so', async () => {
    const watch = await open(['network']);
    await watch.useFrom('192.0.2.1', '203.0.113.1');
    expect(watch.told()).toEqual(['new_network NZ AS64502']);
  });

  test('within one /24 is looked up once, until the databases are others', async () => {
    const watch = await open();
    await watch.useFrom('192.0.2.1', '192.0.2.200', '192.0.2.1');
    expect(watch.looked).toEqual(['192.0.2.1']);
    watch.refresh();
    await watch.useFrom('192.0.2.200');
    expect(watch.looked).toEqual(['192.0.2.1', '192.0.2.200']);
  });
});

test('a refused request and one without a key teach nothing', async () => {
  const watch = await open();
  watch.note(await answer(watch.policy, { bearer: 'pst_wrong', address: '192.0.2.1' }));
  watch.note(await answer(watch.policy, { path: '/vault/1', address: '192.0.2.1' }));
  await watch.settled();
  expect(watch.looked).toEqual([]);
});

test('what one Postern learned another knows, also after a restart', async () => {
  const first = await open();
  await first.useFrom('192.0.2.1', '203.0.113.1');
  const second = await open(undefined, first.store);
  await second.useFrom('203.0.113.1', '192.0.2.1');
  expect(second.told()).toEqual([]);
  await second.useFrom('2001:db8::1');
  await first.useFrom('2001:db8::1');
  expect([first.told(), second.told()]).toEqual([
    ['new_country NZ AS64502'],
    ['new_country BR AS64503'],
  ]);
});

test('a store that is down costs nothing but time: the next use learns', async () => {
  const watch = await open();
  await watch.useFrom('192.0.2.1');
  watch.state.isDown = true;
  await watch.useFrom('203.0.113.1');
  expect([watch.told(), watch.failures.length]).toEqual([[], 1]);
  watch.state.isDown = false;
  await watch.useFrom('203.0.113.1');
  expect(watch.told()).toEqual(['new_country NZ AS64502']);
});
