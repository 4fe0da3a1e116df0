import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { adminDigests, judgeAdminToken, mintAdminToken } from '../../src/app/admin-token.ts';
import { openMemoryStore } from '../../src/store/sql/memory.ts';

const LONG = 'x'.repeat(32);
const digest = (token: string) => hash('sha256', token, 'hex');

test.each([
  ['none', undefined, undefined],
  ['an empty one, which is none', '', undefined],
  ['a long one', LONG, undefined],
  ['a short one', LONG.slice(1), 'warning'],
  ['one with a space', `${LONG} `, 'problem'],
  ['one beyond ASCII', `${LONG}é`, 'problem'],
])('of an admin token in the environment, %s is judged', (_, token, expected) => {
  const judged = judgeAdminToken(token);
  expect(Object.keys(judged ?? {})).toEqual(expected === undefined ? [] : [expected]);
  if (token) expect(JSON.stringify(judged ?? '')).not.toContain(token);
});

test('the store keeps the digest of the token that it made, and makes another only when told', async () => {
  const store = openMemoryStore({ maxSubjects: 1 });
  expect(await adminDigests(store, '')).toEqual([]);
  const first = await mintAdminToken(store, false);
  expect(first).toMatch(/^postern_admin_[0-9A-Za-z]{38}$/);
  expect(await mintAdminToken(store, false)).toBeUndefined();
  expect(await adminDigests(store, LONG)).toEqual([digest(LONG), digest(first ?? '')]);
  const second = await mintAdminToken(store, true);
  expect(await adminDigests(store, undefined)).toEqual([digest(second ?? '')]);
  await store.close();
});
