import { spawnSync } from 'node:child_process';
import { installEnvoy } from './lib/envoy.ts';

/** Brings Envoy, then runs what `npm run check` runs; vitest's own arguments may follow `--`. */
async function runTests(): Promise<number> {
  try {
    await installEnvoy();
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
    if (process.env['CI']) return 1;
  }
  const extra = process.argv.slice(2);
  const args = ['run', 'check', ...(extra.length > 0 ? ['--', ...extra] : [])];
  return spawnSync('npm', args, { stdio: 'inherit' }).status ?? 1;
}

process.exitCode = await runTests();
