import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  integer,
  oneof,
  record,
  string,
  tuple,
} from 'fast-check';
import { expect, test } from 'vitest';
import { openTokenVerifier } from '../../src/jwt/verifier.ts';
import {
  GOOD,
  issuerAt,
  issuerWith,
  makeKey,
  NOW_MS,
  openKeyServer,
  outcome,
  servesKeys,
  sign,
  signBy,
} from './tokens.ts';

/** One change of a text: what is put in, where, and how much it replaces. */
const edit = record({
  at: integer({ min: 0, max: 400 }),
  cut: integer({ min: 0, max: 3 }),
  put: oneof(
    string({ maxLength: 4, unit: 'binary' }),
    constantFrom('.', '=', ' ', '\n', '\0', 'A', '_', '-', '+', '/', '..', '%', '\ud800'),
  ),
});

type Edit = { readonly at: number; readonly cut: number; readonly put: string };

function apply(text: string, { at, cut, put }: Edit): string {
  const place = at % (text.length + 1);
  return text.slice(0, place) + put + text.slice(place + cut);
}

test('no change of a good token verifies or throws', async () => {
  const keys = await Promise.all([makeKey('ES256', 'k1'), makeKey('RS256')]);
  await using server = await openKeyServer(servesKeys(...keys));
  await using verifier = openTokenVerifier();
  const issuers = [issuerWith(), issuerAt([server.origin])];
  const [one, two] = keys;
  const goods = [await sign(GOOD), await signBy(one, 'ES256'), await signBy(two, 'RS256')];
  for (const good of goods) {
    expect(outcome(await verifier.verify(good, issuers, NOW_MS))).toBe('token');
  }
  await assert(
    asyncProperty(
      constantFrom(...goods),
      array(edit, { minLength: 1, maxLength: 3 }),
      async (good, edits) => {
        const changed = edits.reduce(apply, good);
        const answer = await verifier.verify(changed, issuers, NOW_MS);
        expect(answer.kind === 'token').toBe(goods.includes(changed));
      },
    ),
    { numRuns: 3_000 },
  );
}, 60_000);

test('no text at all verifies or throws', async () => {
  await using verifier = openTokenVerifier();
  const issuers = [issuerWith()];
  const part = oneof(
    string({ unit: 'binary' }),
    string().map((text) => Buffer.from(text).toString('base64url')),
    constantFrom('eyJhbGciOiJIUzI1NiJ9', 'eyJhbGciOiJub25lIn0', 'e30', ''),
  );
  await assert(
    asyncProperty(tuple(part, part, part), async (parts) => {
      const answer = await verifier.verify(parts.join('.'), issuers, NOW_MS);
      expect(answer.kind).toBe('deny');
    }),
    { numRuns: 3_000 },
  );
});
