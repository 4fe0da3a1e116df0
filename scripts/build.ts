import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** Compiles src/ to dist/. `proto/` stays beside it: src/envoy and dist/envoy find it at ../../proto. */
function build(): number {
  rmSync(DIST, { recursive: true, force: true });
  const args = [TSC, '-p', join(ROOT, 'tsconfig.build.json')];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status === 0) chmodSync(join(DIST, 'main.js'), 0o755);
  return status ?? 1;
}

process.exitCode = build();
