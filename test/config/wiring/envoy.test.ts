import { expect, test } from 'vitest';
import { deriveBootstrap } from '../../../scripts/lib/bootstrap.ts';
import { CASES, SOUND } from './envoy-cases.ts';
import { BOOTSTRAP, judge, SHORT } from './judge.ts';

test.each(CASES)('$name: $when', async ({ name, change, policy }) => {
  const text = deriveBootstrap(SHORT, { overrides: change });
  const { names, problems } = await judge({ 'envoy.yaml': text }, policy);
  expect(problems).toEqual([]);
  expect(names).toContain(name);
});

test.each(SOUND)('no warning: $when', async ({ change, policy }) => {
  const text = deriveBootstrap(SHORT, { overrides: change });
  expect((await judge({ 'envoy.yaml': text }, policy)).warnings).toEqual([]);
});

test('no warning: envoy.yaml', async () => {
  const { warnings, problems } = await judge({ 'envoy.yaml': BOOTSTRAP });
  expect({ warnings, problems }).toEqual({ warnings: [], problems: [] });
});

test('a warning names file, line and column of the setting', async () => {
  const text = BOOTSTRAP.replace('failure_mode_allow: false', 'failure_mode_allow: true');
  const line = text.split('\n').findIndex((one) => one.includes('failure_mode_allow: true')) + 1;
  const column = (text.split('\n')[line - 1] ?? '').indexOf('failure') + 1;
  const { warnings } = await judge({ 'envoy.yaml': text });
  expect(warnings).toEqual([
    `envoy.yaml:${line}:${column} failure_mode_allow: requests pass unjudged while Postern does not answer: set failure_mode_allow: false`,
  ]);
});
