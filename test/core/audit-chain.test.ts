import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CHAIN_START,
  type ChainForm,
  createChainDigest,
  readSeal,
  sealEvent,
} from '../../src/core/audit-chain.ts';
import { createChainCheck } from '../../src/core/audit-verify.ts';

const KEY = 'a key that nobody else has, and long enough';

/** A chain of events, of which those numbers were dropped. */
function chainOf(count: number, form: ChainForm, key?: string, dropped: readonly number[] = []) {
  const digest = createChainDigest(key);
  let before = CHAIN_START.digest;
  const lines: string[] = [];
  for (let sequence = 1; sequence <= count; sequence += 1) {
    if (dropped.includes(sequence)) continue;
    const line = sealEvent(form, JSON.stringify({ id: `e${sequence}`, é: 'ü' }), {
      sequence,
      before,
    });
    before = digest(line);
    lines.push(line);
  }
  return lines;
}

function judge(lines: readonly (string | Uint8Array)[], key?: string) {
  const check = createChainCheck(createChainDigest(key));
  for (const [index, line] of lines.entries()) check.take(Buffer.from(line), `f:${index + 1}`);
  return check.end();
}

const kinds = (lines: readonly (string | Uint8Array)[], key?: string) =>
  judge(lines, key).faults.map(({ kind }) => kind);

const FORMS: readonly ChainForm[] = ['postern', 'ocsf'];

test('an event says its place in the names of its form, behind everything else', () => {
  const seal = { sequence: 7, before: 'ab'.repeat(32) };
  expect(sealEvent('postern', '{"id":"a"}', seal)).toBe(
    `{"id":"a","seq":7,"prev_hash":"${seal.before}"}`,
  );
  expect(sealEvent('ocsf', '{"id":"a"}', seal)).toBe(
    `{"id":"a","sequence":"0000000000000007","prevhash":"${seal.before}"}`,
  );
  for (const form of FORMS) expect(readSeal(sealEvent(form, '{"id":"a"}', seal))).toEqual(seal);
});

test.each([
  'no JSON',
  '[]',
  '{"seq":0,"prev_hash":"00"}',
  '{"seq":"1"}',
  `{"seq":1.5,"prev_hash":"${CHAIN_START.digest}"}`,
])('%s is no sealed event', (line) => {
  expect(readSeal(line)).toBeUndefined();
});

describe.each(FORMS)('a chain in the form %s', (form) => {
  test.each([undefined, KEY])('as it was written is sound, with key %j', (key) => {
    const verdict = judge(chainOf(20, form, key), key);
    expect(verdict).toMatchObject({ events: 20, first: 1, faults: [], unlisted: 0 });
    expect(verdict.last?.sequence).toBe(20);
  });

  test('of which the oldest files are gone is sound, and says where it begins', () => {
    expect(judge(chainOf(20, form).slice(5))).toMatchObject({ first: 6, faults: [] });
  });

  test('with any other byte, but in its last event, is found out', () => {
    const lines = chainOf(6, form).map((line) => Buffer.from(line));
    fc.assert(
      fc.property(fc.nat(4), fc.nat(), fc.integer({ min: 1, max: 255 }), (index, at, flip) => {
        const changed = lines.map((line) => Buffer.from(line));
        const line = changed[index] ?? Buffer.alloc(0);
        const place = at % line.length;
        line[place] = (line[place] ?? 0) ^ flip;
        expect(kinds(changed)).not.toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('without a line is found out, whichever it is', () => {
    const lines = chainOf(8, form);
    for (let at = 1; at < 7; at += 1) {
      const { faults } = judge(lines.toSpliced(at, 1));
      expect(faults).toMatchObject([{ kind: 'missing', from: at + 1, to: at + 1 }]);
    }
  });

  test('with two lines swapped is found out', () => {
    const lines = chainOf(8, form);
    const [a = '', b = ''] = lines.slice(3, 5);
    expect(judge(lines.toSpliced(3, 2, b, a)).faults).toMatchObject([{ kind: 'moved', from: 4 }]);
  });

  test('with a line put in is found out', () => {
    const lines = chainOf(8, form);
    expect(kinds(lines.toSpliced(4, 0, lines[2] ?? ''))).toEqual(['inserted']);
    expect(kinds(lines.toSpliced(4, 0, '{"id":"mine"}'))).toEqual(['foreign']);
    const own = sealEvent(form, '{"id":"mine"}', { sequence: 5, before: 'ef'.repeat(32) });
    expect(kinds(lines.toSpliced(4, 0, own))).not.toEqual([]);
  });

  test('that was written anew by somebody without the key is found out', () => {
    expect(kinds(chainOf(5, form), KEY)).toEqual(['changed', 'changed', 'changed', 'changed']);
    expect(kinds(chainOf(5, form, `${KEY}!`), KEY)).toHaveLength(4);
  });

  test('tells apart what was dropped by its writer and what was taken out', () => {
    const lines = chainOf(10, form, undefined, [4, 5]);
    expect(judge(lines).faults).toMatchObject([{ kind: 'dropped', from: 4, to: 5 }]);
    expect(judge(lines.toSpliced(6, 1)).faults).toMatchObject([
      { kind: 'dropped' },
      { kind: 'missing', from: 9, to: 9 },
    ]);
  });

  test('that begins anew is told of', () => {
    expect(kinds([...chainOf(3, form), ...chainOf(3, form)])).toEqual(['restarted']);
  });
});

test('of very many faults the first are listed and the others counted', () => {
  const { faults, unlisted } = judge(Array.from({ length: 1500 }, () => 'x'));
  expect({ listed: faults.length, unlisted }).toEqual({ listed: 1000, unlisted: 500 });
});
