import type { TestProject } from 'vitest/node';
import { findEnvoy } from '../../scripts/lib/envoy.ts';

declare module 'vitest' {
  // biome-ignore lint/style/useConsistentTypeDefinitions: only an interface can be added to
  interface ProvidedContext {
    /** Path of the Envoy binary; empty when there is none. */
    readonly envoyBinary: string;
  }
}

/** Hands Envoy's path to the tests. Without an Envoy a CI run fails; any other run says what it leaves out. */
export function setup(project: TestProject): void {
  const binary = findEnvoy();
  if (!binary) {
    const remedy = 'run `npm test`, which installs it, or set ENVOY_BIN';
    if (process.env['CI']) throw new Error(`There is no Envoy: ${remedy}.`);
    process.stderr.write(
      `\n${'!'.repeat(80)}\n! There is no Envoy: every test that needs one is SKIPPED; ${remedy}.\n${'!'.repeat(80)}\n\n`,
    );
  }
  project.provide('envoyBinary', binary ?? '');
}
