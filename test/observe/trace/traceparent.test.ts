import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTraceparent, readTraceparent } from '../../../src/observe/trace/traceparent.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const SOUND = `00-${TRACE}-${SPAN}-01`;
const sampled = { traceId: TRACE, spanId: SPAN, isSampled: true };

test.each([
  ['sampled', SOUND, sampled],
  ['not sampled', `00-${TRACE}-${SPAN}-00`, { ...sampled, isSampled: false }],
  ['other flags do not sample', `00-${TRACE}-${SPAN}-fe`, { ...sampled, isSampled: false }],
  ['all flags', `00-${TRACE}-${SPAN}-ff`, sampled],
  ['a later version', `01-${TRACE}-${SPAN}-01`, sampled],
  ['a later version with more', `cc-${TRACE}-${SPAN}-01-what-may-come`, sampled],
  ['a later version that ends in a dash', `01-${TRACE}-${SPAN}-01-`, sampled],
])('%s is read', (_name, text, parent) => {
  expect(parseTraceparent(text)).toEqual(parent);
});

test.each([
  ['nothing', ''],
  ['the version ff', `ff-${TRACE}-${SPAN}-01`],
  ['version 00 with more', `${SOUND}-`],
  ['a later version with more but no dash', `01-${TRACE}-${SPAN}-01x`],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['a capital in the flags', `00-${TRACE}-${SPAN}-0A`],
  ['a version in capitals', `0A-${TRACE}-${SPAN}-01`],
  ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
  ['a long span', `00-${TRACE}-${SPAN}0-01`],
  ['no flags', `00-${TRACE}-${SPAN}`],
  ['one flag digit', `00-${TRACE}-${SPAN}-1`],
  ['other dashes', `00_${TRACE}_${SPAN}_01`],
  ['space before', ` ${SOUND}`],
  ['space after', `${SOUND} `],
  ['a line end', `${SOUND}\n`],
  ['two that were joined', `${SOUND},${SOUND}`],
  ['digits of another script', `00-${TRACE.replace('0', '٠')}-${SPAN}-01`],
  ['more than any form has', `01-${TRACE}-${SPAN}-01-${'a'.repeat(10_000)}`],
])('%s is none', (_name, text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test.each([
  ['none', undefined],
  ['an empty list', []],
  ['two, though they are the same', [SOUND, SOUND]],
])('a message with %s names no parent', (_name, values) => {
  expect(readTraceparent(values)).toBeUndefined();
});

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map((all) => all.join(''));

test('what is well formed is read as it stands', () => {
  const some = hex(32).filter((id) => /[^0]/.test(id));
  const span = hex(16).filter((id) => /[^0]/.test(id));
  fc.assert(
    fc.property(some, span, hex(2), (traceId, spanId, flags) => {
      const isSampled = Number.parseInt(flags, 16) % 2 === 1;
      const parent = readTraceparent([`00-${traceId}-${spanId}-${flags}`]);
      expect(parent).toEqual({ traceId, spanId, isSampled });
    }),
  );
});

test('one changed character gives ids in form, or nothing', () => {
  const place = fc.nat({ max: SOUND.length - 1 });
  fc.assert(
    fc.property(place, fc.string({ unit: 'binary', maxLength: 2 }), (at, put) => {
      const parent = parseTraceparent(SOUND.slice(0, at) + put + SOUND.slice(at + 1));
      if (!parent) return;
      expect(parent.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(parent.spanId).toMatch(/^[0-9a-f]{16}$/);
    }),
  );
});

test('no text whatever is taken for ids that are none', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const parent = parseTraceparent(text);
      expect(parent === undefined || /^[0-9a-f]{32}$/.test(parent.traceId)).toBe(true);
    }),
  );
});
