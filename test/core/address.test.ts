import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Address,
  addressSubject,
  clientAddress,
  compileAddresses,
  holdsAddress,
  parseAddress,
} from '../../src/core/address.ts';
import { addressSet } from '../../src/core/key-record.ts';
import type { ClientIp } from '../../src/core/policy.ts';

describe('an address', () => {
  test.each([
    ['192.0.2.1', 4, '192.0.2.1'],
    ['0.0.0.0', 4, '0.0.0.0'],
    ['255.255.255.255', 4, '255.255.255.255'],
    ['::1', 6, '::1'],
    ['::', 6, '::'],
    ['2001:db8::1', 6, '2001:db8::1'],
    ['2001:DB8:0:0:0:0:0:1', 6, '2001:db8::1'],
    ['2001:0db8:0000::0001', 6, '2001:db8::1'],
    ['::ffff:192.0.2.1', 4, '192.0.2.1'],
    ['::FFFF:192.0.2.1', 4, '192.0.2.1'],
    ['::ffff:c000:201', 4, '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', 4, '192.0.2.1'],
    ['::ffff:0:0', 4, '0.0.0.0'],
    ['::fffe:192.0.2.1', 6, '::fffe:c000:201'],
    ['::ffff:0:192.0.2.1', 6, '::ffff:0:c000:201'],
    ['1::ffff:192.0.2.1', 6, '1::ffff:c000:201'],
    ['64:ff9b::192.0.2.1', 6, '64:ff9b::c000:201'],
    ['2002:c000:201::', 6, '2002:c000:201::'],
    ['0:0:0:0:0:0:192.0.2.1', 6, '::c000:201'],
    ['::c000:201', 6, '::c000:201'],
  ])('%s is IPv%i %s', (text, family, canonical) => {
    expect(parseAddress(text)).toMatchObject({ family, text: canonical });
  });

  test('only ::ffff:0:0/96 is unwrapped: ::192.0.2.1 is not', () => {
    expect(parseAddress('::192.0.2.1')).toMatchObject({ family: 6, text: '::c000:201' });
  });

  test.each([
    '',
    ' ',
    '010.0.0.1',
    '01.02.03.04',
    '0x7f.1',
    '0x7f000001',
    '127.1',
    '127.0.1',
    '2130706433',
    '017700000001',
    '1.2.3.4.5',
    '1.2.3',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '256.0.0.1',
    '-1.0.0.1',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1.2.3.4\0',
    '1.2.3.4:80',
    '1.2.3.4/32',
    'unknown',
    '_hidden',
    'localhost',
    'fe80::1%eth0',
    'fe80::1%',
    'fe80::1%25eth0',
    '::1%lo',
    '::ffff:1.2.3.4%1',
    '[::1]',
    '[::1]:80',
    '::ffff:010.0.0.1',
    '::ffff:1.2.3',
    '1.2.3.4::',
    '12345::',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '::g',
    '\uff11.2.3.4',
    '1\u30022.3.4',
    '1,2,3,4',
  ])('%j is none', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});

describe('a list of addresses and blocks', () => {
  test.each([
    ['10.0.0.5', '10.0.0.5', true],
    ['10.0.0.5', '10.0.0.6', false],
    ['10.0.0.5/32', '10.0.0.5', true],
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/9', '10.127.255.255', true],
    ['10.0.0.0/9', '10.128.0.0', false],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '203.0.113.1', false],
    ['192.0.2.0/31', '192.0.2.1', true],
    ['192.0.2.0/31', '192.0.2.2', false],
    ['2001:db8::/32', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:db8::/33', '2001:db8:7fff::', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['2001:db8::1/128', '2001:db8::1', true],
    ['2001:db8::1/128', '2001:db8::2', false],
    ['2001:DB8::/48', '2001:db8::ffff', true],
    ['192.0.2.0/24', '::ffff:192.0.2.7', true],
    ['::ffff:192.0.2.0/120', '192.0.2.7', true],
    ['::ffff:192.0.2.0/120', '192.0.3.7', false],
    ['::ffff:192.0.2.7', '192.0.2.7', true],
    ['10.0.0.0/8', '::a00:1', false],
    ['10.0.0.0/8', '64:ff9b::a00:1', false],
    ['10.0.0.0/8', '2002:a00:1::', false],
  ])('%s holds %s: %s', (block, text, expected) => {
    const address = parseAddress(text);
    expect(address && holdsAddress(addressSet([block]), address)).toBe(expected);
  });

  test.each([
    '10/8',
    '10.0/16',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0.0/-1',
    '10.0.0.0/8.0',
    '10.0.0.0/0x8',
    '10.0.0.0/255.0.0.0',
    '10.0.0.0/8/8',
    '10.0.0.0 /8',
    '10.0.0.0/ 8',
    '010.0.0.0/8',
    '0x0a.0.0.0/8',
    '2001:db8::/129',
    '2001:db8::/032',
    'fe80::%eth0/64',
    'fe80::1%eth0',
    '::ffff:10.0.0.0/8',
    '::ffff:10.0.0.0/95',
    '/8',
    '',
    '*',
    '10.0.0.*',
    '10.0.0.1-10.0.0.9',
    'localhost',
  ])('%j is no block', (text) => {
    expect(compileAddresses(['192.0.2.1', text])).toMatchObject({ index: 1 });
  });
});

/** An address as 32 or 128 binary digits. */
function digitsOf(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

function textOf(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => {
    const [high = 0, low = 0] = bytes.slice(at * 2, at * 2 + 2);
    return (high * 256 + low).toString(16);
  });
  return groups.join(':');
}

const BYTE = fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat({ max: 255 }));
const FOUR = fc.array(BYTE, { minLength: 4, maxLength: 4 });
const SIX = fc.array(BYTE, { minLength: 15, maxLength: 15 }).map((rest) => [0x20, ...rest]);
const ADDRESS = fc.oneof(FOUR, SIX);
const BLOCK = ADDRESS.chain((bytes) =>
  fc.tuple(fc.constant(bytes), fc.nat({ max: bytes.length * 8 })),
);

test('a set holds what a comparison of binary digits holds', () => {
  const near = fc.tuple(fc.array(BLOCK, { maxLength: 6 }), ADDRESS, fc.nat());
  fc.assert(
    fc.property(near, ([blocks, random, pick]) => {
      const set = addressSet(blocks.map(([bytes, length]) => `${textOf(bytes)}/${length}`));
      const base = blocks[pick % Math.max(blocks.length, 1)]?.[0] ?? random;
      const flipped = base.map((byte, at) =>
        at === pick % base.length ? byte ^ (pick % 256) : byte,
      );
      flipped[0] = base.length === 16 ? 0x20 : (flipped[0] ?? 0);
      for (const bytes of [random, flipped]) {
        const address = parseAddress(textOf(bytes));
        const expected = blocks.some(
          ([block, length]) =>
            block.length === bytes.length &&
            digitsOf(block).slice(0, length) === digitsOf(bytes).slice(0, length),
        );
        expect(address && holdsAddress(set, address)).toBe(expected);
      }
    }),
    { numRuns: 3000 },
  );
});

test('an address and the text it is shown by are the same address', () => {
  fc.assert(
    fc.property(ADDRESS, (bytes) => {
      const address = parseAddress(textOf(bytes));
      expect(address?.bytes).toEqual(bytes);
      expect(parseAddress(address?.text ?? '')).toEqual(address);
    }),
  );
});

describe('limits count', () => {
  const subjectOf = (text: string) => addressSubject(parseAddress(text) as Address);
  test.each([
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['2001:db8::1', '2001:db8::ffff:ffff:ffff:ffff', true],
    ['2001:db8::1', '2001:db8:0:1::1', false],
    ['2001:db8:0:0:ffff::', '2001:db8::', true],
    ['::1', '::2', true],
    ['::ffff:1.2.3.4', '::1', false],
  ])('%s and %s as one: %s', (one, other, expected) => {
    expect(subjectOf(one) === subjectOf(other)).toBe(expected);
  });
});

describe('the address of the client', () => {
  const PEER: ClientIp = { kind: 'peer' };
  const hops = (count: number): ClientIp => ({ kind: 'trusted_hops', hops: count });
  const right = (position: number): ClientIp => ({ kind: 'xff_from_right', position });
  const OWN = '10.9.9.9';
  const rows: readonly (readonly [
    ClientIp,
    string | undefined,
    readonly string[],
    string | undefined,
    boolean,
  ])[] = [
    [PEER, '192.0.2.1', [], '192.0.2.1', false],
    [PEER, '192.0.2.1', ['198.51.100.1'], '192.0.2.1', false],
    [PEER, '::ffff:192.0.2.1', [], '192.0.2.1', false],
    [PEER, undefined, ['198.51.100.1'], undefined, false],
    [PEER, 'fe80::1%eth0', [], undefined, false],
    [hops(0), '192.0.2.1', ['192.0.2.1'], '192.0.2.1', false],
    [hops(0), '192.0.2.1', ['198.51.100.1, 192.0.2.1'], '192.0.2.1', false],
    [hops(0), '127.0.0.1', [`198.51.100.1, ${OWN}`], '127.0.0.1', false],
    [hops(1), '192.0.2.1', ['198.51.100.1, 192.0.2.1'], '198.51.100.1', false],
    [hops(1), '192.0.2.1', ['198.51.100.1,192.0.2.1'], '198.51.100.1', false],
    [hops(1), '192.0.2.1', ['198.51.100.1', '192.0.2.1'], '198.51.100.1', false],
    [hops(1), '192.0.2.1', ['9.9.9.9, 198.51.100.1, 192.0.2.1'], '198.51.100.1', false],
    [hops(2), '192.0.2.1', ['9.9.9.9, 198.51.100.1, 192.0.2.1'], '9.9.9.9', false],
    [hops(1), '192.0.2.1', ['192.0.2.1'], '192.0.2.1', false],
    [hops(3), '192.0.2.1', ['9.9.9.9, 192.0.2.1'], '192.0.2.1', false],
    [hops(1), '::ffff:192.0.2.1', ['198.51.100.1, 192.0.2.1'], '198.51.100.1', false],
    [hops(1), '2001:db8::1', ['198.51.100.1, 2001:DB8:0::1'], '198.51.100.1', false],
    [hops(1), '192.0.2.1', ['198.51.100.1, 192.0.2.2'], undefined, true],
    [hops(1), '192.0.2.1', ['198.51.100.1'], undefined, true],
    [hops(0), '192.0.2.1', ['198.51.100.1'], undefined, true],
    [hops(1), '192.0.2.1', [`198.51.100.1, ${OWN}`], undefined, true],
    [hops(1), '127.0.0.1', [`198.51.100.1, ${OWN}`], '198.51.100.1', false],
    [hops(1), '127.0.0.1', ['198.51.100.1, 127.0.0.1'], '198.51.100.1', false],
    [hops(1), '::1', [`198.51.100.1, ${OWN}`], '198.51.100.1', false],
    [hops(1), '127.0.0.1', ['198.51.100.1, 10.9.9.8'], undefined, true],
    [hops(1), '192.0.2.1', ['unknown, 192.0.2.1'], undefined, false],
    [hops(1), '192.0.2.1', ['198.51.100.1:1234, 192.0.2.1'], undefined, false],
    [hops(1), '192.0.2.1', ['[2001:db8::1]:1234, 192.0.2.1'], undefined, false],
    [hops(1), '192.0.2.1', ['fe80::1%eth0, 192.0.2.1'], undefined, false],
    [hops(1), '192.0.2.1', ['010.0.0.1, 192.0.2.1'], undefined, false],
    [hops(1), '192.0.2.1', [', 192.0.2.1'], undefined, false],
    [hops(1), '192.0.2.1', ['198.51.100.1,, 192.0.2.1'], undefined, false],
    [hops(1), '192.0.2.1', ['::ffff:198.51.100.1, 192.0.2.1'], '198.51.100.1', false],
    [right(1), '192.0.2.1', ['9.9.9.9, 198.51.100.1'], '198.51.100.1', false],
    [right(2), '192.0.2.1', ['9.9.9.9, 198.51.100.1'], '9.9.9.9', false],
    [right(3), '192.0.2.1', ['9.9.9.9, 198.51.100.1'], '192.0.2.1', false],
    [right(1), '192.0.2.1', ['9.9.9.9', '198.51.100.1'], '198.51.100.1', false],
    [right(1), '192.0.2.1', ['unknown'], undefined, false],
    [right(1), '192.0.2.1', ['010.0.0.1'], undefined, false],
    [right(1), '192.0.2.1', ['198.51.100.1:80'], undefined, false],
  ];
  test.each(rows)(
    '%j, peer %s, x-forwarded-for %j: %s',
    (...[rule, peer, forwarded, expected, untrusted]) => {
      const found = clientAddress(rule, peer, forwarded, (address) => address.text === OWN);
      expect(found.address?.text).toBe(expected);
      expect(found.untrusted).toBe(untrusted);
    },
  );
});
