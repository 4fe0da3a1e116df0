import { describe, expect, it } from 'vitest';
import { readAddress, readSlotRanges, slotOf } from '../../../src/store/redis/link/slots.ts';
import { startRedis } from '../../redis-harness/redis.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';

const KEYS = [
  '123456789',
  'key',
  '',
  '{user}:counter',
  'a{user}b{other}',
  'a{}b',
  'a{b',
  'a}b{c}',
  '{{x}}y',
  'ключ{тег}',
  'namespace:{probe-7}',
];

describeRedisServer('the slot of a key', () => {
  it('is what Redis says', async () => {
    const redis = await startRedis({ config: ['cluster-enabled yes'] });
    for (const key of KEYS) {
      expect([key, slotOf(key)]).toEqual([key, await redis.cli('CLUSTER', 'KEYSLOT', key)]);
    }
    await redis.stop();
  });
});

describe('the answer of CLUSTER SLOTS', () => {
  it('names the master of each range, and takes the asked host where none is said', () => {
    const reply = [
      [0, 100, ['10.0.0.1', 7000, 'id'], ['10.0.0.2', 7000, 'id']],
      [101, 16_383, [null, 7001, 'id']],
    ];
    expect(readSlotRanges(reply, 'redis.internal')).toEqual([
      { first: 0, last: 100, address: '10.0.0.1:7000' },
      { first: 101, last: 16_383, address: 'redis.internal:7001' },
    ]);
  });

  it('leads to the address of a node that has no name', () => {
    const named = [0, 1, ['?', 7000, 'id', ['ip', '10.0.0.1']]];
    const lost = [2, 3, ['?', 7001, 'id', []]];
    expect(readSlotRanges([named, lost], 'redis.internal')).toEqual([
      { first: 0, last: 1, address: '10.0.0.1:7000' },
      { first: 2, last: 3, address: 'redis.internal:7001' },
    ]);
  });

  it.each([
    ['a text', 'OK'],
    ['a range without a master', [[0, 1]]],
    ['a slot that is none', [[0, 16_384, ['host', 7000]]]],
    ['a range that is none', ['0-1']],
    ['a port that is none', [[0, 1, ['host', '7000']]]],
  ])('is refused when it is %s', (_, reply) => {
    expect(readSlotRanges(reply, 'host')).toBeUndefined();
  });

  it('may hold an IPv6 address', () => {
    expect(readAddress('::1:7000')).toEqual({ host: '::1', port: 7000 });
  });
});
