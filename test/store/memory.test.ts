import { expect, test } from 'vitest';
import { hashKey } from '../../src/core/api-key.ts';
import { compileKey } from '../../src/core/key-record.ts';
import { openMemoryStore } from '../../src/store/memory.ts';

const ONE = hashKey('one');
const TWO = hashKey('two');
const RECORD = {
  id: 'k',
  hash: [{ hash: `sha256:${ONE}` }, { hash: `sha256:${TWO}`, until: '2027-01-01T00:00:00Z' }],
  scopes: ['a:read'],
  allowed_ips: ['192.0.2.0/24'],
  expires_at: '2028-01-01T00:00:00Z',
} as const;

test('a key is found under each of its hashes, with the end of each', async () => {
  const store = openMemoryStore({ maxSubjects: 10 });
  store.putKey(RECORD);
  const key = compileKey({ ...RECORD, hash: '' });
  expect(await store.findKey(ONE)).toEqual({ key, until: undefined });
  expect(await store.findKey(TWO)).toEqual({ key, until: Date.UTC(2027, 0) });
  expect(await store.findKey(hashKey('three'))).toBeUndefined();
});

test('a malformed record is not kept', () => {
  const store = openMemoryStore({ maxSubjects: 10 });
  expect(() => store.putKey({ ...RECORD, allowed_ips: ['10/8'] })).toThrow('"10/8"');
  expect(store.findKey(ONE)).toBeUndefined();
});
