import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const SRC = join(ROOT, 'src');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** Compiles src/ to dist/, Lua scripts beside what reads them. `proto/` stays beside it: src/envoy and dist/envoy find it at ../../proto. */
function build(): number {
  rmSync(DIST, { recursive: true, force: true });
  const args = [TSC, '-p', join(ROOT, 'tsconfig.build.json')];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) return status ?? 1;
  chmodSync(join(DIST, 'main.js'), 0o755);
  for (const script of globSync('**/*.lua', { cwd: SRC })) {
    mkdirSync(dirname(join(DIST, script)), { recursive: true });
    copyFileSync(join(SRC, script), join(DIST, script));
  }
  return 0;
}

process.exitCode = build();
