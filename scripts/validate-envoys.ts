import { spawnSync } from 'node:child_process';
import { ENVOY_VERSIONS, installVersion } from './lib/envoy.ts';

/** Every bootstrap of the project and its deployments by `--mode validate`, and a request through each that is whole. */
const BOOTSTRAPS = ['test/deploy/envoys.test.ts', 'test/envoy/bootstrap.test.ts'];
/** The gate end to end, as far as Envoy is concerned. */
const GATE = [
  'test/e2e/wire-envoy.test.ts',
  'test/e2e/drain.test.ts',
  'test/e2e/limits.test.ts',
  'test/e2e/listeners.test.ts',
  'test/e2e/reload.test.ts',
  'test/e2e/secrets.test.ts',
  'test/deploy/edge-tls.test.ts',
  'test/profiles',
  'test/readme.test.ts',
];

const HELP = `usage: node scripts/validate-envoys.ts [--gate] [VERSION ...]

Runs the tests of all bootstraps on several versions of Envoy, each installed under .tools/ (25 to 40 MB).
  --gate     the end-to-end tests of the gate too
  VERSION    one of ${ENVOY_VERSIONS.join(', ')}; all when none is named
`;

/** Runs the tests once for each version; the answer is an exit code. */
async function validateEnvoys(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(HELP);
    return 0;
  }
  const named = args.filter((arg) => !arg.startsWith('--'));
  const files = [...BOOTSTRAPS, ...(args.includes('--gate') ? GATE : [])];
  const failed: string[] = [];
  for (const version of named.length > 0 ? named : ENVOY_VERSIONS) {
    const binary = await installVersion(version);
    const startedMs = performance.now();
    const { status } = spawnSync('npx', ['vitest', 'run', ...files], {
      stdio: 'inherit',
      env: { ...process.env, ENVOY_BIN: binary },
    });
    const tookSeconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(
      `Envoy ${version}: ${status === 0 ? 'passed' : 'FAILED'} in ${tookSeconds} s\n`,
    );
    if (status !== 0) failed.push(version);
  }
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await validateEnvoys(process.argv.slice(2));
