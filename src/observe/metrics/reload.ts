import type { Makers } from './makers.ts';

/** Which policy decides, and how its last reading went; times are epoch ms. */
export type ReloadReading = {
  readonly hash: string;
  readonly runningSinceMs: number;
  readonly lastMs: number;
  /** When the first of the failed readings since then was; undefined when the last one held. */
  readonly failedSinceMs?: number | undefined;
};

export type ReloadMetric = {
  readonly note: (ok: boolean, atMs: number, policyHash: string) => void;
  /** Undefined before the first note. */
  readonly read: () => ReloadReading | undefined;
};

/** Counts reloads of the policy, and shows which one decides. */
export function reloadMetric(make: Makers): ReloadMetric {
  const reloads = make.counter('policy_reloads_total', 'Reloads of the policy.', ['outcome']);
  // From 0 on: the first step of a series that is born with it is no increase to Prometheus.
  for (const outcome of ['ok', 'failed'] as const) reloads.inc({ outcome }, 0);
  const isOk = make.gauge('policy_last_reload_successful', '1 when the last reload held.', []);
  const okAt = make.gauge('policy_last_reload_success_timestamp_seconds', 'When it held.', []);
  const info = make.gauge('policy_info', 'The policy that decides.', ['hash']);
  let reading: ReloadReading | undefined;
  const note = (ok: boolean, atMs: number, hash: string) => {
    reloads.inc({ outcome: ok ? 'ok' : 'failed' });
    isOk.set(ok ? 1 : 0);
    if (!ok) {
      reading &&= { ...reading, lastMs: atMs, failedSinceMs: reading.failedSinceMs ?? atMs };
      return;
    }
    reading = { hash, runningSinceMs: atMs, lastMs: atMs };
    okAt.set(atMs / 1000);
    info.reset();
    info.set({ hash }, 1);
  };
  return { note, read: () => reading };
}
