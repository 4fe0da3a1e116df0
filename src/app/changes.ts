import type { PolicyChange } from '../config/open-policy.ts';
import { writeProblem } from '../config/problem.ts';
import type { TokenEvent } from '../jwt/settings.ts';
import type { TokenVerifier } from '../jwt/verifier.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics/metrics.ts';
import type { Alerts } from './alerts.ts';

/** Who hears of changes from outside. */
export type Listeners = {
  readonly tokens: TokenVerifier;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly alerts: Pick<Alerts, 'use'>;
};

/** Puts a new policy in force, and tells what it changes. */
export function applyChange(
  { tokens, metrics, log, alerts }: Listeners,
  change: PolicyChange,
): void {
  tokens.use(change.policy.issuers);
  alerts.use(change.policy.alerts.webhooks);
  metrics.reload(true, Date.now(), change.policy.hash);
  for (const warning of change.warnings) log.warn(writeProblem(warning));
  for (const looser of change.loosened)
    log.warn({ loosened: looser }, 'the new policy allows more');
  for (const key of change.restart) log.warn(`${key} has changed: restart to apply it`);
  log.info({ policy: change.policy.hash }, 'policy reloaded');
}

/** Tells why a new policy was not taken. */
export function refuseChange(
  { metrics, log }: Pick<Listeners, 'metrics' | 'log'>,
  problems: readonly string[],
): void {
  metrics.reload(false, Date.now(), '');
  for (const problem of problems) log.error(problem);
  log.error('the policy has problems: the one before stays in force');
}

/** Counts what happens to key sets and cached tokens, and tells what went wrong. */
export function hearToken(
  event: TokenEvent,
  { metrics, log }: Pick<Listeners, 'metrics' | 'log'>,
): void {
  if (event.kind === 'cache') {
    metrics.tokenCache(event.hit ? 'hit' : 'miss');
    return;
  }
  const { issuer, location, detail } = event;
  if (event.kind === 'jwks_key_skipped') {
    log.warn({ issuer, location, detail }, 'a key of the set is not used');
    return;
  }
  metrics.jwksFetch(issuer, event.ok ? 'ok' : 'failed');
  if (!event.ok) log.warn({ issuer, location, detail }, 'the key set cannot be loaded');
}
