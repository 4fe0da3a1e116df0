import { expect, test } from 'vitest';
import { compileKey, keyHashes, parseTimestamp } from '../../src/core/key-record.ts';

const HASH = `sha256:${'a'.repeat(64)}`;

test.each([
  [{ username: 'u', owner: 'o', name: 'n' }, 'u'],
  [{ owner: 'o', name: 'n' }, 'o'],
  [{ name: 'n' }, 'n'],
  [{}, 'id'],
])('of %j the username is %s', (names, username) => {
  expect(compileKey({ id: 'id', hash: HASH, ...names }).username).toBe(username);
});

test('a record with a malformed part does not compile', () => {
  expect(() => keyHashes({ id: 'k', hash: 'secret' })).toThrow('key k has a malformed hash');
  expect(() => compileKey({ id: 'k', hash: HASH, allowed_ips: ['10/8'] })).toThrow('"10/8"');
  expect(() => compileKey({ id: 'k', hash: HASH, expires_at: 'soon' })).toThrow('"soon"');
});

test.each([
  ['2026-01-31T00:00:00Z', Date.UTC(2026, 0, 31)],
  ['2026-01-31t00:00:00.5z', Date.UTC(2026, 0, 31) + 500],
  ['2026-01-31 01:00:00+01:00', Date.UTC(2026, 0, 31)],
  ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
])('%s is a time', (text, timeMs) => {
  expect(parseTimestamp(text)).toBe(timeMs);
});

test.each([
  '2026-01-31',
  '2026-02-29T00:00:00Z',
  '2026-01-31T24:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-31T00:00:00',
  'Sat, 31 Jan 2026 00:00:00 GMT',
  '',
])('%j is no time', (text) => {
  expect(parseTimestamp(text)).toBeUndefined();
});
