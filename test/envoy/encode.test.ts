import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEncoder } from '../../src/envoy/encode.ts';
import { loadProtocol } from '../../src/envoy/protocol.ts';
import type { CheckAnswer } from '../../src/envoy/write.ts';

const { checkResponse } = loadProtocol();
const encode = createEncoder();

/** What the library reads of our bytes. */
function read(answer: CheckAnswer): unknown {
  const message = checkResponse.decode(encode(answer));
  return checkResponse.toObject(message, { enums: Number, defaults: true });
}

/** The same answer as the library's own objects. */
function expected(answer: CheckAnswer): unknown {
  const option = ([key, value]: readonly [string, string]) => ({
    header: { key, value },
    append: { value: false },
    append_action: 2,
  });
  const actions = { append: 0, set: 2, replace_existing: 3 };
  const fields = Object.fromEntries(
    Object.entries(answer.facts).map(([name, stringValue]) => [name, { stringValue }]),
  );
  const shared = { status: { code: answer.code }, dynamic_metadata: { fields } };
  const plain =
    answer.kind === 'denied'
      ? {
          ...shared,
          denied_response: {
            status: { code: answer.status },
            headers: answer.headers.map(option),
            body: answer.body,
          },
        }
      : {
          ...shared,
          ok_response: {
            headers: answer.set.map(option),
            headers_to_remove: answer.remove,
            response_headers_to_add: answer.response.map(({ name, value, mode }) =>
              mode === 'set'
                ? option([name, value])
                : { header: { key: name, value }, append_action: actions[mode] },
            ),
          },
        };
  const bytes = checkResponse.encode(checkResponse.fromObject(plain)).finish();
  return checkResponse.toObject(checkResponse.decode(bytes), { enums: Number, defaults: true });
}

const text = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('x'.repeat(127), 'x'.repeat(128), 'x'.repeat(16_384), 'é'.repeat(9000)),
);
const pair = fc.tuple(text, text);
const facts = fc.dictionary(
  fc.string({ maxLength: 20 }).filter((name) => name !== '__proto__'),
  text,
  { maxKeys: 12 },
);
const allow: fc.Arbitrary<CheckAnswer> = fc.record({
  kind: fc.constant('ok' as const),
  code: fc.constant(0 as const),
  facts,
  set: fc.array(pair),
  remove: fc.array(text),
  response: fc.array(
    fc.record({
      name: text,
      value: text,
      mode: fc.constantFrom('set', 'append', 'replace_existing'),
    }),
  ),
});
const refusal: fc.Arbitrary<CheckAnswer> = fc.record({
  kind: fc.constant('denied' as const),
  code: fc.integer({ min: 1, max: 16 }),
  facts,
  status: fc.constantFrom(204, 400, 401, 402, 403, 404, 413, 422, 429, 500, 503),
  headers: fc.array(pair),
  body: text,
});

test('what the encoder writes is what the library reads', () => {
  fc.assert(
    fc.property(fc.oneof(allow, refusal), (answer) => {
      expect(read(answer)).toEqual(expected(answer));
    }),
    { numRuns: 500 },
  );
});

test('an allow has its status, though its code is 0', () => {
  const answer = { kind: 'ok', code: 0, facts: {}, set: [], remove: [], response: [] } as const;
  expect([...encode(answer)].slice(0, 4)).toEqual([0x0a, 2, 0x08, 0]);
});

test('one answer leaves nothing behind in the next', () => {
  const body = 'x'.repeat(50_000);
  const long = { kind: 'denied', code: 7, facts: {}, status: 403, headers: [], body } as const;
  const short = { ...long, body: 'y' };
  const first = encode(short);
  encode(long);
  expect(encode(short)).toEqual(first);
});
