import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openAlerts, openPlaces } from '../../src/app/alerts.ts';
import type { AuditEvent } from '../../src/core/records.ts';
import { openLog } from '../../src/observe/log.ts';
import { createMetrics } from '../../src/observe/metrics/metrics.ts';
import { openMemoryStore } from '../../src/store/sql/memory.ts';
import { openDirectory } from '../config/policy-file.ts';
import { alertPolicy, answer, WITH_KEY } from '../observe/alerts/checks.ts';
import { writeMmdb } from '../observe/alerts/mmdb.ts';

const HERE = '192.0.2.1';
const THERE = '198.51.100.1';

function database(country: string): Buffer {
  return writeMmdb({
    '192.0.2.0/24': { country: { iso_code: 'CH' } },
    '198.51.100.0/24': { country: { iso_code: country } },
  });
}

function placesIn(path: string, ...files: readonly string[]) {
  return openPlaces({ places: { files, by: ['country'] } }, join(path, 'policy.yaml'));
}

/** The desk of a server whose databases lie in a directory; what it told and what it logged. */
async function open(path: string) {
  const places = await placesIn(path, 'places.mmdb');
  if (!places || 'problem' in places) throw new Error('no places');
  const policy = await alertPolicy();
  const store = openMemoryStore({ maxSubjects: 10 });
  const told: AuditEvent[] = [];
  const logged: string[] = [];
  const log = openLog('silent');
  log.info = log.error = (...args: readonly unknown[]) => void logged.push(String(args.at(-1)));
  const metrics = createMetrics({
    store: store.counts,
    health: store.health,
    audit: () => [],
    jwks: () => [],
    build: { version: '0', node: '0' },
  });
  const alerts = openAlerts({
    ...{ policy: () => policy, log, metrics, records: store, places },
    mask: (value) => value,
    makeId: () => 'id',
    tell: (event) => told.push(event),
  });
  const useFrom = async (address: string) =>
    alerts.watch(await answer(policy, { ...WITH_KEY, address }));
  return { ...alerts, told, logged, useFrom };
}

test('without places nothing is opened', async () => {
  expect(await openPlaces({}, 'policy.yaml')).toBeUndefined();
});

test('a database that is missing is a problem that names it, relative to the policy', async () => {
  using directory = openDirectory();
  const path = join(directory.path, 'data', 'places.mmdb');
  expect(await placesIn(directory.path, 'data/places.mmdb')).toEqual({
    problem: `alerts.places: ${path}: the database of places cannot be read: ENOENT`,
  });
});

test('a new database is taken up while Postern runs, a broken one is not', async () => {
  using directory = openDirectory();
  const path = join(directory.path, 'places.mmdb');
  writeFileSync(path, database('CH'));
  const desk = await open(directory.path);
  await desk.useFrom(HERE);
  writeFileSync(path, 'half a file');
  await expect.poll(() => desk.logged.at(-1), { timeout: 5000 }).toMatch(/those before stay$/);
  await desk.useFrom(THERE);
  writeFileSync(path, database('NZ'));
  await expect.poll(() => desk.logged.at(-1), { timeout: 5000 }).toMatch(/are renewed$/);
  await desk.useFrom(THERE);
  await desk.close();
  expect(desk.told.map(({ event, facts }) => [event, facts?.['country']])).toEqual([
    ['alert.new_country', 'NZ'],
  ]);
});
