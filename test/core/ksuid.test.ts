import { describe, expect, test } from 'vitest';
import { createEventIds, mintKsuid } from '../../src/core/ksuid.ts';
import { NOW } from './build.ts';

const bytes = (fill: number) => new Uint8Array(16).fill(fill);

describe('a KSUID', () => {
  // From the reference: time 107608047 and this payload, seconds since 2014-05-13T16:53:20Z.
  test('is the number that its time and its bytes make, in base62', () => {
    const payload = Buffer.from('B5A1CD34B5F99D1154FB6853345C9735', 'hex');
    expect(mintKsuid(payload, (1_400_000_000 + 107_608_047) * 1000)).toBe(
      '0ujtsYcgvSTl8PAuAdqWYSMnLOv',
    );
  });

  test('sorts by time, whatever its bytes', () => {
    expect(mintKsuid(bytes(255), NOW) < mintKsuid(bytes(0), NOW + 1000)).toBe(true);
  });

  test('needs 16 bytes', () => {
    expect(() => mintKsuid(new Uint8Array(15), NOW)).toThrow('16 random bytes');
  });
});

describe('ids of what happens often', () => {
  test('are unique and sort by time, also among KSUIDs', () => {
    let fill = 200;
    const makeId = createEventIds(() => {
      fill -= 50;
      return bytes(fill);
    });
    const second = Math.floor(NOW / 1000) * 1000;
    const ids = [second, second + 1, second + 999, second + 1000].map(makeId);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(4);
    expect(ids.every((id) => id > mintKsuid(bytes(255), second - 1000))).toBe(true);
    expect(ids.every((id) => id < mintKsuid(bytes(0), second + 2000))).toBe(true);
  });
});
