import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DENIALS, type Reason } from '../../src/core/decision.ts';
import { REASONS } from './support.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** What no shipped policy can be brought to say, and the test that reaches it. */
const ELSEWHERE = {
  blocked: 'test/core/check.test.ts',
  body_too_large: 'test/e2e/wire.test.ts',
  claim_not_allowed: 'test/core/check.test.ts',
  internal: 'test/e2e/faults.test.ts',
  key_disabled: 'test/core/check.test.ts',
  key_revoked: 'test/core/check.test.ts',
  owner_deactivated: 'test/core/check.test.ts',
  route_not_allowed: 'test/core/check.test.ts',
  too_many_failures: 'test/core/check.test.ts',
  unavailable: 'test/e2e/faults.test.ts',
  workspace_past_due: 'test/core/check.test.ts',
  workspace_suspended: 'test/core/check.test.ts',
} as const satisfies { readonly [reason in Reason]?: string };

/** In the table of refusals, and made by nothing yet. */
const RESERVED = ['sensitive_data', 'too_many_concurrent'] as const satisfies readonly Reason[];

test('every reason is reached by a profile, reached elsewhere, or reserved; none is two of these', () => {
  const reached = [...new Set<string>(Object.values(REASONS).flat())];
  const all = [...reached, ...Object.keys(ELSEWHERE), ...RESERVED];
  expect(all.sort()).toEqual(Object.keys(DENIALS).sort());
});

test.each(Object.entries(REASONS))(
  'the tests of %s name the reasons they reach',
  (profile, own) => {
    const texts = [`test/profiles/${profile}*.test.ts`, 'test/profiles/forms.ts'].map(textOf);
    expect(own.filter((reason) => !texts.some((text) => names(text, reason)))).toEqual([]);
    expect([...own]).toEqual([...new Set(own)].sort());
  },
);

test.each(Object.entries(ELSEWHERE))('%s is named by %s', (reason, path) => {
  expect(names(textOf(path), reason)).toBe(true);
});

test.each(RESERVED)('nothing makes %s', (reason) => {
  const sources = globSync('src/**/*.ts', { cwd: ROOT });
  expect(sources.length).toBeGreaterThan(50);
  expect(sources.filter((path) => names(textOf(path), reason))).toEqual([]);
});

/** The text of all files that a pattern names; there is at least one. */
function textOf(pattern: string): string {
  const paths = globSync(pattern, { cwd: ROOT });
  expect(paths, pattern).not.toEqual([]);
  return paths.map((path) => readFileSync(join(ROOT, path), 'utf8')).join('\n');
}

function names(text: string, reason: string): boolean {
  return text.includes(`'${reason}'`);
}
