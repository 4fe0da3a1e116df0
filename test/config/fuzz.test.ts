import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { compilePolicy } from '../../src/config/compile.ts';
import { load, PROFILE_ENV } from './policy-file.ts';

const POLICIES = join(import.meta.dirname, '../../deploy/policies');
const texts = readdirSync(POLICIES).map((name) => readFileSync(join(POLICIES, name), 'utf8'));

const SPLINTERS = [
  '*',
  '&a ',
  '*a',
  '<<: *a',
  '${',
  '${A}',
  '"',
  '[',
  ']',
  '{',
  '}',
  ': ',
  '- ',
  'null',
  '-1',
  '1e999',
  '__proto__: 1',
  'constructor: {}',
  '? [a]\n: b\n',
  '!!binary a',
  '---\n',
  '\t',
  '\u0000',
  '\ud800',
];

type Edit = {
  readonly at: number;
  readonly length: number;
  readonly kind: string;
  readonly splinter: string;
};

/** One edit of a policy: cut, repeat or put something at some place. */
const edit = fc.record({
  at: fc.nat(),
  length: fc.nat(40),
  kind: fc.constantFrom('cut', 'repeat', 'put'),
  splinter: fc.constantFrom(...SPLINTERS),
});

function apply(text: string, { at, length, kind, splinter }: Edit): string {
  const start = at % (text.length + 1);
  const piece = text.slice(start, start + length);
  if (kind === 'cut') return text.slice(0, start) + text.slice(start + length);
  const put = kind === 'repeat' ? piece : splinter;
  return text.slice(0, start) + put + text.slice(start);
}

test('a policy with random edits loads or has problems with places; nothing throws', () => {
  const holds = fc.property(
    fc.constantFrom(...texts),
    fc.array(edit, { minLength: 1, maxLength: 4 }),
    (text, edits) => {
      const { config, problems } = load(edits.reduce(apply, text));
      expect(config === undefined).toBe(problems.length > 0);
      for (const problem of problems) expect(problem).toMatch(/^policy\.yaml:\d+:\d+ ./);
    },
  );
  expect(fc.check(holds, { numRuns: 400 })).toMatchObject({ failed: false });
});

/** A value put in the place of another, anywhere in a policy. */
const swap = fc.record({
  at: fc.nat(),
  value: fc.oneof(
    fc.constantFrom(
      '',
      '*',
      'public',
      'api_key',
      'none',
      'keys',
      0,
      -1,
      1.5,
      7,
      null,
      true,
      [],
      {},
    ),
    fc.constantFrom('a:read', '*:*', '10.0.0.0/8', '*.example.com', '/a/**', '5m', 'GET', ['jwt']),
    fc.jsonValue({ maxDepth: 2 }),
  ),
});

type Swap = { readonly at: number; readonly value: unknown };
type Place = { readonly parent: Record<string | number, unknown>; readonly key: string | number };

function placesOf(parent: unknown): readonly Place[] {
  if (typeof parent !== 'object' || parent === null) return [];
  const record = parent as Place['parent'];
  return Object.keys(record).flatMap((key) => [{ parent: record, key }, ...placesOf(record[key])]);
}

function put(policy: unknown, { at, value }: Swap): unknown {
  const places = placesOf(policy);
  const place = places[at % Math.max(places.length, 1)];
  // A copy: the next swap may put the same list into itself.
  if (place) place.parent[place.key] = structuredClone(value);
  return policy;
}

test('whatever stands in a policy is a problem or compiles', async () => {
  const holds = fc.asyncProperty(
    fc.constantFrom(...texts),
    fc.array(swap, { minLength: 1, maxLength: 3 }),
    async (text, swaps) => {
      const policy = swaps.reduce(put, parse(text));
      const { config, hash, problems } = load(JSON.stringify(policy), PROFILE_ENV);
      expect(config === undefined).toBe(problems.length > 0);
      if (config) await compilePolicy({ config, hash });
    },
  );
  expect(await fc.check(holds, { numRuns: 400 })).toMatchObject({ failed: false });
});
