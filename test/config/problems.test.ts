import { expect, test } from 'vitest';
import { load } from './policy-file.ts';
import { PROBLEM_CASES } from './problem-cases.ts';
import { WARNING_CASES } from './warning-cases.ts';

test.each(PROBLEM_CASES)('%s: every problem is told with its place', (_, text, problems) => {
  const found = load(text);
  expect(found.problems).toEqual(problems);
  expect(found.config).toBeUndefined();
});

test.each(WARNING_CASES)('%s: warnings stop nothing', (_, text, warnings) => {
  const found = load(text);
  expect(found.problems).toEqual([]);
  expect(found.warnings).toEqual(warnings);
});

test('a problem never quotes a secret', () => {
  const secret = 'hunter2';
  const found = load(
    `store: postgres://u:${secret}@h
issuers:
  - { name: a, secret: ${secret} }
  - { name: b, jwks: "http://u:${secret}@h/" }
  - { name: c, jwks: "https://u:${secret}@h/" }
  - { name: d, secret: { value: ${secret} } }
api_keys: { declared: [{ id: a, hash: ${secret} }] }
routes: [{ path: /a, access: [jwt], headers: { x-a: "${secret}\\n" } }]
`,
  );
  expect(found.problems).toHaveLength(7);
  expect([...found.problems, ...found.warnings].join('\n')).not.toContain(secret);
});

test('of very many problems the first thousand are told', () => {
  const routes = Array.from({ length: 1500 }, () => '  - { paht: /a, access: public }');
  const { problems } = load(['routes:', ...routes, ''].join('\n'));
  expect(problems).toHaveLength(1001);
  expect(problems[0]).toBe('policy.yaml:1:1 and 500 more problems');
});
