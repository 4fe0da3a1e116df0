import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROUTES } from '../../src/api/routes.ts';
import { isOpenRow } from '../../src/api/row.ts';
import { ADMIN, openStage, type Stage } from './stage.ts';

const HOSTILE_IDS = [
  '..%2f..%2fetc',
  '%2e%2e',
  '__proto__',
  'a%00b',
  'x'.repeat(3000),
  '%F0%9F%98%80',
];
const HEADERS = { 'content-type': 'application/json' };

/** A body that no row takes: a member that nobody knows, or no object at all. */
const body = fc.oneof(
  fc.jsonValue().map((value) => JSON.stringify({ id: value, name: value, scopes: value, zzz: 1 })),
  fc.jsonValue().map((value) => `{"__proto__":${JSON.stringify(value)}}`),
  fc.array(fc.jsonValue()).map((value) => JSON.stringify(value)),
  fc.string().map((text) => `{${text}`),
  fc
    .dictionary(fc.string(), fc.jsonValue())
    .map((value) => JSON.stringify({ ...value, zzz: null })),
);

test('whatever is sent to a row that takes a body, it is a 4xx, and nothing is stored', async () => {
  await using stage = await openStage();
  const rows = ROUTES.filter((row) => row.body && !isOpenRow(row));
  const anything = fc.tuple(fc.constantFrom(...rows), body);
  await fc.assert(
    fc.asyncProperty(anything, async ([row, raw]) => {
      const path = row.path.replaceAll(/\{\w+\}/g, 'declared');
      const came = await stage.ask(row.method, path, { as: ADMIN, raw, headers: HEADERS });
      expect(came.status).toBeGreaterThanOrEqual(400);
      expect(came.status).toBeLessThan(500);
      if (came.status === 422) expect(came.body.errors.length).toBeGreaterThan(0);
    }),
    { numRuns: 600 },
  );
  await expectNothing(stage);
});

test('hostile ids, queries and bodies of 10 MB are 4xx on every row', async () => {
  await using stage = await openStage();
  const raw = 'x'.repeat(10 * 1024 * 1024);
  for (const row of ROUTES) {
    if (isOpenRow(row)) continue;
    for (const id of row.path.includes('{') ? HOSTILE_IDS : []) {
      const came = await stage.admin(
        row.method,
        row.path.replaceAll(/\{\w+\}/g, id),
        row.body && {},
      );
      expect([row.id, id.slice(0, 20), came.status]).toEqual([row.id, id.slice(0, 20), 404]);
    }
    const path = row.path.replaceAll(/\{\w+\}/g, 'x');
    const queried = await stage.admin(row.method, `${path}?__proto__[x]=1`, row.body && {});
    expect([row.id, queried.status]).toEqual([row.id, 400]);
    if (!row.body) continue;
    const large = await stage.ask(row.method, path, { as: ADMIN, raw, headers: HEADERS });
    expect([row.id, large.status]).toEqual([row.id, 413]);
  }
  await expectNothing(stage);
});

async function expectNothing(stage: Stage): Promise<void> {
  expect(stage.failures).toEqual([]);
  expect(stage.events).toEqual([]);
  const page = { limit: 10 };
  const keys = await stage.store.listKeys({ nowMs: stage.clock.nowMs }, page);
  const kinds = ['workspace', 'user', 'team', 'role'] as const;
  const lists = await Promise.all(kinds.map((kind) => stage.store.list(kind, {}, page)));
  expect([keys.items, ...lists.map((one) => one.items)].flat()).toEqual([]);
}
