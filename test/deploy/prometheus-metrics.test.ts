import { beforeAll, describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/observe/metrics/metrics.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { send } from '../envoy-harness/send.ts';
import { allAlerts, allGroups, labelsOf, queriesIn } from './prometheus-rules.ts';

type Matcher = { readonly label: string; readonly operator: string; readonly value: string };
/** A metric as a rule selects it. */
type Selector = {
  readonly text: string;
  readonly metric: string;
  readonly matchers: readonly Matcher[];
};

/** The metrics that an expression reads, without those that rules record. */
function selectorsIn(expr: string): readonly Selector[] {
  const bare = expr.replaceAll(/\b(?:by|on|group_left|without) \([^)]*\)/g, '');
  const found = bare.matchAll(/(?<![:\w])((?:postern|envoy)_\w+)(\{[^}]*\})?(?![:\w])/g);
  return [...found].map(([text, metric = '', braces = '']) => {
    const matchers = [...braces.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(
      ([, label = '', operator = '', value = '']) => ({ label, operator, value }),
    );
    return { text, metric, matchers };
  });
}

const read = allGroups().flatMap(({ rules }) => rules.map(({ expr }) => expr));
const shown = [...new Set(allAlerts().map(({ alert }) => alert))].flatMap(queriesIn);
const selectors = new Map([...read, ...shown].flatMap(selectorsIn).map((one) => [one.text, one]));
const ofPostern = [...selectors.values()].filter(({ metric }) => metric.startsWith('postern_'));
const ofEnvoy = [...selectors.values()].filter(({ metric }) => metric.startsWith('envoy_'));

/** Whether a page of metrics has a line that a selector takes; one without matchers may have no samples yet. */
function isOn(page: string, { metric, matchers }: Selector): boolean {
  const family = metric.replace(/_(?:bucket|sum|count)$/, '');
  if (matchers.length === 0 && page.includes(`# TYPE ${family} `)) return true;
  return page.split('\n').some((line) => {
    if (!line.startsWith(`${metric}{`) && !line.startsWith(`${metric} `)) return false;
    const labels = labelsOf(line);
    return matchers.every(({ label, operator, value }) => {
      const given = labels[label];
      if (given === undefined) return false;
      const isSame = operator.endsWith('~')
        ? new RegExp(`^(?:${value})$`).test(given)
        : given === value;
      return operator.startsWith('!') ? !isSame : isSame;
    });
  });
}

describe('every metric of Postern that a rule or a runbook reads', () => {
  let page: string;
  beforeAll(async () => {
    page = await pageOfAll();
  });

  test.each(ofPostern.map((one) => [one.text, one] as const))('is there: %s', (_, selector) => {
    expect(isOn(page, selector)).toBe(true);
  });

  test('is looked for: one that is not there is not found', () => {
    expect(ofPostern.length).toBeGreaterThan(25);
    const [unknown] = selectorsIn('sum by (job) (rate(postern_checks_total{reason="tired"}[5m]))');
    if (!unknown) throw new Error('no selector');
    expect(isOn(page, unknown)).toBe(false);
  });
});

/** A page on which everything has happened that has a metric. */
async function pageOfAll(): Promise<string> {
  const lost = { written: 1, dropped: 1, failed: 1, waitingEvents: 1, waitingBytes: 1 };
  const metrics = createMetrics({
    store: () => ({ subjects: 0, forgotten: 0, dropped: 0, failures: 0 }),
    health: () => ({
      isUp: true,
      isDegraded: false,
      nodes: [{ node: 'redis:6379', breaker: 'open' }],
    }),
    audit: () => [{ sink: 'stdout', ...lost }],
    jwks: () => [{ issuer: 'main', keys: 1, isUsable: true }],
    build: { version: '0', node: '0' },
  });
  const reasons = ['internal', 'unavailable', 'too_many_failures', 'unknown_key'];
  for (const reason of reasons) metrics.check({ route: 'r', decision: 'deny', reason }, 1);
  for (const kind of ['bug', 'port']) metrics.failure(kind);
  for (const outcome of ['ok', 'failed'] as const) metrics.jwksFetch('main', outcome);
  for (const outcome of ['ok', 'late'] as const) {
    metrics.trip({ operation: 'take', outcome, tookMs: 1 });
  }
  metrics.reload(true, 0, 'hash');
  for (const isLoaded of [true, false])
    metrics.certificate(isLoaded, { notBeforeMs: 0, notAfterMs: 1 });
  metrics.webhook.follow(() => [{ webhook: 'alerts-1', waiting: 0 }]);
  return (await metrics.page(undefined)).text;
}

describeEnvoy('every metric of Envoy that a rule or a runbook reads', () => {
  let page: string;
  beforeAll(async () => {
    // Nobody listens there.
    const envoy = await startEnvoy({ checkAddress: '127.0.0.1:1', upstreamPort: 1 });
    try {
      const { status } = await send({ port: envoy.port, target: '/hello' });
      expect(status).toBe(503);
      page = await (await fetch(`${envoy.adminUrl}/stats/prometheus`)).text();
    } finally {
      await envoy.stop();
    }
  });

  test.each(ofEnvoy.map((one) => [one.text, one] as const))('is there: %s', (_, selector) => {
    expect(isOn(page, selector)).toBe(true);
  });

  test('a request that nobody judged is an error, and no refusal', () => {
    const lines = page.split('\n').filter((line) => line.startsWith('envoy_http_ext_authz_'));
    const counted = (name: string) =>
      lines
        .find((line) => line.startsWith(`envoy_http_ext_authz_${name}{`))
        ?.split(' ')
        .at(-1);
    expect(['error', 'denied', 'ok', 'failure_mode_allowed'].map(counted)).toEqual([
      '1',
      '0',
      '0',
      '0',
    ]);
  });
});
