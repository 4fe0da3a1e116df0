import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashKey } from '../../src/core/api-key.ts';
import { createKeyTable } from '../../src/store/key-table.ts';

test('a table answers what was last put, and nothing else', () => {
  const step = fc.tuple(fc.nat(60), fc.string({ unit: 'grapheme', maxLength: 80 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = createKeyTable();
      const model = new Map<string, string>();
      for (const [at, text] of steps) {
        table.put(hashKey(`key ${at}`), text);
        model.set(`key ${at}`, text);
      }
      for (let at = 0; at <= 60; at += 1) {
        expect(table.find(hashKey(`key ${at}`))).toBe(model.get(`key ${at}`));
      }
      expect(table.size()).toBe(model.size);
    }),
  );
});

test('a hundred thousand keys are all found, and no others', () => {
  const table = createKeyTable();
  const count = 100_000;
  for (let at = 0; at < count; at += 1) table.put(hashKey(`key ${at}`), `text ${at}`);
  expect(table.size()).toBe(count);
  const wrong = Array.from({ length: count }, (_, at) => at).filter(
    (at) => table.find(hashKey(`key ${at}`)) !== `text ${at}`,
  );
  expect(wrong).toEqual([]);
  expect(table.find(hashKey('another'))).toBeUndefined();
});
