import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readPlace } from '../../../src/observe/alerts/place.ts';
import { openPlaceBook } from '../../../src/observe/alerts/place-book.ts';
import { writeMmdb } from './mmdb.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-places-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: Buffer | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const COUNTRIES = writeMmdb({
  '192.0.2.0/24': { country: { iso_code: 'CH', names: { en: 'Switzerland' } } },
  '198.51.100.0/24': { country: { iso_code: 'NZ' } },
  '2001:db8::/32': { country: { iso_code: 'BR' } },
});
const NETWORKS = writeMmdb({
  '192.0.2.0/25': {
    autonomous_system_number: 64500,
    autonomous_system_organization: 'Example One',
  },
});

test('databases of countries and of networks complete each other', async () => {
  const book = await openPlaceBook([write('c.mmdb', COUNTRIES), write('n.mmdb', NETWORKS)]);
  expect(['192.0.2.9', '192.0.2.200', '2001:db8::5', '10.0.0.1'].map(book.find)).toEqual([
    { country: 'CH', network: 'AS64500', networkName: 'Example One' },
    { country: 'CH', network: undefined, networkName: undefined },
    { country: 'BR', network: undefined, networkName: undefined },
    { country: undefined, network: undefined, networkName: undefined },
  ]);
});

test('a new version is taken up; a broken one leaves the one before', async () => {
  const path = write('kept.mmdb', COUNTRIES);
  const book = await openPlaceBook([path]);
  writeFileSync(path, 'half a file');
  await expect(book.reload()).rejects.toThrow(`${path}: the database of places cannot be read`);
  expect(book.find('192.0.2.9').country).toBe('CH');
  writeFileSync(path, writeMmdb({ '192.0.2.0/24': { country: { iso_code: 'AT' } } }));
  await book.reload();
  expect(book.find('192.0.2.9').country).toBe('AT');
});

test.each([
  ['missing', () => join(folder, 'nowhere.mmdb'), 'ENOENT'],
  ['empty', () => write('empty.mmdb', ''), 'it is no MMDB file'],
  ['something else', () => write('else.mmdb', 'a,b,c\n'), 'it is no MMDB file'],
])('a file that is %s is named', async (_, path, why) => {
  const file = path();
  await expect(openPlaceBook([file])).rejects.toThrow(
    `${file}: the database of places cannot be read: ${why}`,
  );
});

test.each([
  ['of MaxMind and DB-IP', { country: { iso_code: 'CH' } }, { country: 'CH' }],
  [
    'of a city',
    { country: { iso_code: 'CH' }, city: { names: { en: 'Bern' } } },
    { country: 'CH' },
  ],
  [
    'of networks',
    { autonomous_system_number: 64500, autonomous_system_organization: 'One' },
    { network: 'AS64500', networkName: 'One' },
  ],
  ['of enterprises', { traits: { autonomous_system_number: 64500 } }, { network: 'AS64500' }],
  [
    'of IPinfo',
    { country: 'Switzerland', country_code: 'CH', asn: 'AS64500', as_name: 'One' },
    { country: 'CH', network: 'AS64500', networkName: 'One' },
  ],
  ['of IPinfo by code', { country: 'CH' }, { country: 'CH' }],
  ['of another form', { country: 'Switzerland', asn: 'sixty' }, {}],
  ['that is none', 'CH', {}],
])('a record %s is read', (_, record, want) => {
  expect(readPlace(record)).toEqual(want);
});
