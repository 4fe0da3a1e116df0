import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, inject } from 'vitest';
import { type BootstrapChange, deriveBootstrap } from '../../scripts/lib/bootstrap.ts';
import { type RunningEnvoy, runEnvoy } from '../../scripts/lib/run-envoy.ts';

/** The bootstrap that operators get. */
export const BOOTSTRAP_PATH = join(import.meta.dirname, '..', '..', 'envoy.yaml');

/** Path of Envoy's binary; empty when there is none, and then `describeEnvoy` skips. */
export const envoyBinary = inject('envoyBinary');

/** `describe` for tests that need a real Envoy. */
export const describeEnvoy = describe.skipIf(envoyBinary === '');

export type EnvoyOptions = BootstrapChange & {
  /** Shorthand for one Postern. */
  readonly checkAddress?: string | undefined;
};

/** On a busy machine Envoy's own 250 ms would make any test fail at times. */
const PATIENT = '5s';

/**
 * Starts a real Envoy with `envoy.yaml`, its ports and what `options` names changed.
 * It waits five seconds for an answer unless `checkTimeout` is given. Without an `apiAddress` the upstream stands in
 * for the management API and records what it gets.
 */
export function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const checkAddresses =
    options.checkAddress === undefined ? options.checkAddresses : [options.checkAddress];
  const manners = { listenerPort: 0, adminPort: 0, checkTimeout: PATIENT };
  const { upstreamPort } = options;
  const apiAddress =
    options.apiAddress ?? (upstreamPort === undefined ? undefined : `127.0.0.1:${upstreamPort}`);
  const change = { ...manners, ...options, checkAddresses, apiAddress };
  return runEnvoy(envoyBinary, deriveBootstrap(readFileSync(BOOTSTRAP_PATH, 'utf8'), change));
}
