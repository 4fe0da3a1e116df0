import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generatedFiles } from '../../scripts/generate.ts';

const ROOT = join(import.meta.dirname, '../..');

test.each([...generatedFiles()])('%s is fresh (npm run generate)', (path, text) => {
  expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text);
});

test('every key of the policy is documented', () => {
  const schema: unknown = JSON.parse(generatedFiles().get('policy.schema.json') ?? '{}');
  expect(undocumented(schema, '')).toEqual([]);
});

/** Paths of properties without a description, at any depth of a JSON Schema. */
function undocumented(schema: unknown, path: string): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const below = Object.entries(schema).flatMap(([key, value]) => {
    if (key === 'default' || key === 'examples') return [];
    if (key !== 'properties') return undocumented(value, path);
    return Object.entries(value as object).flatMap(([name, property]) => {
      const at = `${path}.${name}`;
      return [...(property.description ? [] : [at]), ...undocumented(property, at)];
    });
  });
  return below;
}
