import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { ALERTS } from '../../../src/core/alert.ts';
import { alertMetric } from '../../../src/observe/metrics/alerts.ts';
import { makers } from '../../../src/observe/metrics/makers.ts';
import { webhookMetric } from '../../../src/observe/metrics/webhook.ts';

function open() {
  const registry = new Registry();
  const make = makers(registry);
  const lines = async (name: string) =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith(`postern_${name}{`));
  return { ...alertMetric(make), webhook: webhookMetric(registry, make), lines };
}

test('every alert is counted from the start', async () => {
  const { lines, raised, suppressed } = open();
  const names = Object.keys(ALERTS);
  expect(await lines('alerts_total')).toEqual(
    names.map((name) => `postern_alerts_total{alert="${name}"} 0`),
  );
  raised('new_country');
  suppressed('new_country');
  suppressed('new_country');
  expect(await lines('alerts_total')).toContain('postern_alerts_total{alert="new_country"} 1');
  expect(await lines('alerts_suppressed_total')).toContain(
    'postern_alerts_suppressed_total{alert="new_country"} 2',
  );
});

test('a webhook shows what waits, and its outcomes from the first scrape on', async () => {
  const { lines, webhook } = open();
  webhook.follow(() => [{ webhook: 'alerts-1', waiting: 3 }]);
  webhook.follow(() => [{ webhook: 'audit-1', waiting: 0 }]);
  webhook.count('alerts-1', 'failed');
  expect(await lines('webhook_waiting')).toEqual([
    'postern_webhook_waiting{webhook="alerts-1"} 3',
    'postern_webhook_waiting{webhook="audit-1"} 0',
  ]);
  const deliveries = await lines('webhook_deliveries_total');
  expect(deliveries).toHaveLength(8);
  expect(deliveries).toContain(
    'postern_webhook_deliveries_total{webhook="alerts-1",outcome="failed"} 1',
  );
  expect(deliveries).toContain(
    'postern_webhook_deliveries_total{webhook="audit-1",outcome="dropped"} 0',
  );
});
