import type { Makers } from './makers.ts';

/** Counts reloads of the policy, and shows which one decides. */
export function reloadMetric(
  make: Makers,
): (ok: boolean, atMs: number, policyHash: string) => void {
  const reloads = make.counter('policy_reloads_total', 'Reloads of the policy.', ['outcome']);
  const isOk = make.gauge('policy_last_reload_successful', '1 when the last reload held.', []);
  const okAt = make.gauge('policy_last_reload_success_timestamp_seconds', 'When it held.', []);
  const info = make.gauge('policy_info', 'The policy that decides.', ['hash']);
  return (ok, atMs, hash) => {
    reloads.inc({ outcome: ok ? 'ok' : 'failed' });
    isOk.set(ok ? 1 : 0);
    if (!ok) return;
    okAt.set(atMs / 1000);
    info.reset();
    info.set({ hash }, 1);
  };
}
