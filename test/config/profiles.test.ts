import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compilePolicy } from '../../src/config/compile.ts';
import { loadPolicy } from '../../src/config/load.ts';
import { writeProblem } from '../../src/config/problem.ts';
import { NOW_MS, PROFILE_ENV } from './policy-file.ts';

const POLICIES = join(import.meta.dirname, '../../deploy/policies');

const names = readdirSync(POLICIES).filter((name) => name.endsWith('.yaml'));

test('there is a policy for each product', () => {
  expect(names).toHaveLength(5);
});

test.each(names)('%s loads and compiles', async (name) => {
  const path = join(POLICIES, name);
  const { config, hash, problems } = loadPolicy({ path, env: PROFILE_ENV, nowMs: NOW_MS });
  expect(problems.map(writeProblem)).toEqual([]);
  if (!config) throw new Error('no policy');
  const policy = await compilePolicy({ config, hash });
  expect(policy.product).toBe(name.replace('.yaml', ''));
  expect(policy.routes.map((route) => route.name)).toEqual(
    config.routes.map((route) => route.name),
  );
  expect(policy.declaredKeys.size).toBe(config.api_keys.declared.length);
  expect(policy.hash).toBe(hash.slice(0, 12));
});
