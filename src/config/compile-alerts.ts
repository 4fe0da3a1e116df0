import type { AlertRules, FailureRule } from '../core/alert.ts';
import { milliseconds } from './compile-written.ts';
import type { AlertsConfig } from './schema-alerts.ts';

const WINDOW_MS = {
  per_second: 1000,
  per_minute: 60_000,
  per_hour: 3_600_000,
  per_day: 86_400_000,
} as const;

/** What a policy watches for. */
export function compileAlerts(written: AlertsConfig): AlertRules {
  const { unusual } = written;
  return {
    failures: written.failures.map(compileFailures),
    unusual: unusual ? { factor: unusual.factor, atLeast: unusual.at_least } : undefined,
    coolDownMs: milliseconds(written.cool_down) ?? 0,
    muted: new Set(written.mute),
    webhooks: written.webhooks.map(({ url, secret, alerts }) => ({
      url,
      secret,
      alerts: alerts && new Set(alerts),
    })),
  };
}

function compileFailures(written: AlertsConfig['failures'][number]): FailureRule {
  const windows = Object.entries(WINDOW_MS).flatMap(([key, lengthMs]) => {
    const limit = written[key as keyof typeof WINDOW_MS];
    return limit === undefined ? [] : [{ limit, lengthMs }];
  });
  return { by: written.by, windows, blockMs: milliseconds(written.block) };
}
