import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ALERTS, type AlertName } from '../../src/core/alert.ts';
import { openSqliteStore } from '../../src/store/sql/sqlite.ts';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import { writeMmdb } from '../observe/alerts/mmdb.ts';
import { openReceiver } from '../observe/webhook/receiver.ts';
import { type Managed, startManaged } from './manage.ts';
import { mint, sample } from './policy.ts';

const HOUR_MS = 3_600_000;
const FAILURES = 4;
const AT_LEAST = 12;
/** Keys are judged by their history every ten seconds. */
const TURN_MS = 15_000;

const keys = { roaming: mint(), ended: mint(), busy: mint(), lost: mint(), wrong: mint() };
const declared = [
  { id: 'roaming', hash: keys.roaming.hash, username: 'ada' },
  { id: 'ended', hash: keys.ended.hash, expires_at: '2020-01-01T00:00:00Z' },
  { id: 'busy', hash: keys.busy.hash },
  { id: 'lost', hash: keys.lost.hash, allowed_ips: ['192.0.2.99'] },
];
const PLACES = writeMmdb({
  '192.0.2.0/24': { country: { iso_code: 'CH' }, autonomous_system_number: 64500 },
  '198.51.100.0/24': { country: { iso_code: 'CH' }, autonomous_system_number: 64501 },
  '203.0.113.0/24': { country: { iso_code: 'NZ' }, autonomous_system_number: 64502 },
});

type Receiver = Awaited<ReturnType<typeof openReceiver>>;
type World = Managed & { readonly hook: Receiver; readonly dead: Receiver };

function policyOf(hook: Receiver, dead: Receiver): object {
  return {
    client_ip: { trusted_hops: 1 },
    store: 'sqlite:postern.db',
    audit: { mask: ['username'] },
    alerts: {
      failures: [
        { by: 'ip', per_day: FAILURES },
        { by: 'key', per_day: FAILURES },
      ],
      places: { database: 'places.mmdb' },
      unusual: { factor: 2, at_least: AT_LEAST },
      webhooks: [
        { url: hook.url, secret: hook.secret },
        { url: dead.url, secret: dead.secret },
      ],
    },
    api_keys: { declared },
    routes: [
      { name: 'vault', path: '/vault/**', access: ['api_key'], sensitive: true },
      { name: 'all', path: '/**', access: ['api_key'] },
    ],
  };
}

/** A store in which two keys were used a little, two days ago. */
async function writeHistory(folder: string): Promise<void> {
  const store = await openSqliteStore(join(folder, 'postern.db'), { maxSubjects: 10 });
  const nowMs = Date.now() - 48 * HOUR_MS;
  for (const keyId of ['busy', 'lost']) store.recordUse({ keyId, nowMs });
  await store.flush();
  await store.close();
}

async function times(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < count; at += 1) await work(at);
}

/** What raises each alert, through Envoy. */
const PROVOKED: { readonly [name in AlertName]: (world: World) => Promise<unknown> } = {
  failures_from_source: ({ use }) =>
    times(FAILURES, () => use(keys.wrong.raw, { from: '192.0.2.66' })),
  failures_of_key: ({ use }) =>
    times(FAILURES, (at) => use(keys.ended.raw, { from: `192.0.2.${at}` })),
  new_country: async ({ use }) => {
    await use(keys.roaming.raw, { from: '192.0.2.1' });
    await use(keys.roaming.raw, { from: '203.0.113.1' });
  },
  new_network: ({ use }) => use(keys.roaming.raw, { from: '198.51.100.1' }),
  sensitive_route: ({ use }) =>
    use(keys.roaming.raw, { target: '/vault/1', from: '192.0.2.1', method: 'PUT' }),
  unusual_requests: ({ use }) => times(AT_LEAST, () => use(keys.busy.raw)),
  unusual_refusals: ({ use }) => times(AT_LEAST, () => use(keys.lost.raw)),
};

/** What each says of whom, and beside. */
const TOLD: { readonly [name in AlertName]: readonly [key: string | undefined, facts: object] } = {
  failures_from_source: [undefined, { failures: String(FAILURES), reason: 'unknown_key' }],
  failures_of_key: ['ended', { failures: String(FAILURES), reason: 'key_expired' }],
  new_country: ['roaming', { country: 'NZ', network: 'AS64502', known: 'CH' }],
  new_network: ['roaming', { country: 'CH', network: 'AS64501' }],
  sensitive_route: ['roaming', { route: 'vault', http_method: 'PUT' }],
  unusual_requests: ['busy', { busiest_hour: '1' }],
  unusual_refusals: ['lost', { busiest_hour: '0' }],
};
const NAMES = Object.keys(ALERTS) as readonly AlertName[];

/** What /monitoring/alerts says of an alert. */
async function monitoringOf({ postern }: World, name: AlertName): Promise<unknown> {
  const headers = { accept: 'application/json' };
  const response = await fetch(`${postern.opsUrl}/monitoring/alerts`, { headers });
  const { alerts } = (await response.json()) as { alerts: readonly { readonly alert: string }[] };
  return alerts.find(({ alert }) => alert === name);
}

const isSome = (count: unknown) => Number(count) > 0;

describeEnvoy('alerts through Envoy', () => {
  let world: World;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-alerts-'));
    writeFileSync(join(folder, 'places.mmdb'), PLACES);
    await writeHistory(folder);
    const hook = await openReceiver();
    const dead = await openReceiver(() => {});
    world = { ...(await startManaged(policyOf(hook, dead), folder)), hook, dead };
    // One after the other, so that a key is at home before it is away.
    for (const name of NAMES) await PROVOKED[name](world);
  });

  afterAll(async () => {
    await world?.stop();
    await Promise.all([world?.hook, world?.dead].map((one) => one?.[Symbol.asyncDispose]()));
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(NAMES)(
    '%s is in the audit stream, at the webhook, in the API and counted',
    { timeout: TURN_MS + 5000 },
    async (name) => {
      const [keyId, facts] = TOLD[name];
      const isOfKey = (object: unknown) =>
        keyId === undefined ? object === undefined : JSON.stringify(object)?.includes(keyId);
      const lines = () =>
        world.postern
          .events()
          .filter(({ event, object }) => event === `alert.${name}` && isOfKey(object));
      await expect.poll(lines, { timeout: TURN_MS, interval: 50 }).toHaveLength(1);
      const [line] = lines();
      expect(line?.['facts']).toMatchObject({ ...facts, severity: ALERTS[name].severity });

      const sent = () => world.hook.received.find(({ id }) => id === line?.['id']);
      await expect.poll(sent, { timeout: 5000, interval: 20 }).toBeDefined();
      expect(sent()).toMatchObject({
        isSigned: true,
        body: { type: `alert.${name}`, timestamp: line?.['time'], data: line },
      });

      const listed = async () =>
        (await world.api.make(`/v1/alerts?alert=${name}`))['data'] as readonly object[];
      await expect
        .poll(listed, { timeout: 5000, interval: 50 })
        .toContainEqual(
          expect.objectContaining({ id: line?.['id'], alert: name, key_id: keyId ?? null }),
        );
      const page = await (await fetch(`${world.postern.opsUrl}/metrics`)).text();
      expect(sample(page, `postern_alerts_total{alert="${name}"}`)).toBeGreaterThanOrEqual(1);
      expect(await monitoringOf(world, name)).toMatchObject({ count: expect.toSatisfy(isSome) });
    },
  );

  test('no alert holds a key, and names of users are masked', async () => {
    const told = JSON.stringify([world.postern.lines(), world.hook.received]);
    for (const { raw } of Object.values(keys)) expect(told).not.toContain(raw);
    expect(world.postern.stderr()).not.toContain(world.hook.secret);
    const roamed = world.postern.events().filter(({ event }) => event === 'alert.new_country');
    expect(roamed.map(({ facts }) => facts)).toEqual([
      expect.objectContaining({ username: expect.stringMatching(/^masked:[0-9a-f]{24}$/) }),
    ]);
  });

  test('a webhook that never answers holds up neither decisions nor the other webhook', async () => {
    const before = world.hook.received.length;
    await times(3, async (at) => {
      expect(await world.outcome(keys.busy.raw, { target: `/vault/${at}` })).toBe('allow');
    });
    await world.hook.until(before + 1);
    const begun = world.dead.received.length;
    const page = await (await fetch(`${world.postern.opsUrl}/metrics`)).text();
    expect(sample(page, 'postern_webhook_waiting{webhook="alerts-2"}')).toBeGreaterThan(5);
    expect(sample(page, 'postern_webhook_waiting{webhook="alerts-1"}')).toBe(0);
    const delivered = (webhook: string, outcome: string) =>
      sample(page, `postern_webhook_deliveries_total{webhook="${webhook}",outcome="${outcome}"}`);
    expect(delivered('alerts-1', 'accepted')).toBe(world.hook.received.length);
    expect(delivered('alerts-2', 'accepted')).toBe(0);
    // One at a time: the next begins when the one before has failed.
    expect(begun).toBeLessThanOrEqual(delivered('alerts-2', 'failed') + 1);
  });
});
