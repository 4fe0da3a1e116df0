import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeJsonSchema } from '../src/config/json-schema.ts';
import { dashboardFiles } from './lib/dashboards/files.ts';
import { deployEnvoys } from './lib/deploy-envoys.ts';
import { deployMesh } from './lib/deploy-mesh.ts';
import { writeReasons } from './lib/reasons.ts';
import { writeReference } from './lib/reference.ts';
import { ruleFiles } from './lib/rules/files.ts';

/** The generated files of this project, by path from its root. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const schema = writeJsonSchema();
  return new Map([
    ['policy.schema.json', `${JSON.stringify(schema, undefined, 2)}\n`],
    ['docs/configuration.md', writeReference(schema)],
    ['docs/reasons.md', writeReasons()],
    ...deployEnvoys(),
    ...deployMesh(),
    ...dashboardFiles(),
    ...ruleFiles(),
  ]);
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  for (const [path, text] of generatedFiles()) writeFileSync(join(root, path), text);
}
