import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Series } from '../../scripts/lib/dashboards/stage/prometheus-server.ts';
import { actorsOf } from '../../scripts/lib/dashboards/stage/script.ts';
import { openStage, type Stage } from '../../scripts/lib/dashboards/stage/stage.ts';
import { findPrometheus, PROMETHEUS_REMEDY } from '../../scripts/lib/prometheus.ts';
import { fillIn, panelsOf, queriesOf, readDashboards } from '../deploy/dashboards.ts';
import { envoyBinary } from '../envoy-harness/envoy.ts';
import { waitFor } from '../redis-harness/wait.ts';

const prometheus = findPrometheus('prometheus');
const canRun = prometheus !== undefined && envoyBinary !== '' && inject('hasRedisServer');
const dashboards = readDashboards();

/** Scrapes, one a second, before anybody looks. */
const SCRAPES = 8;
/** Seconds that queries look back: to before the first scrape. */
const SHOWN = 20;
const WINDOW = '5s';
const PATIENCE_MS = 30_000;
const POLL_MS = 200;

/** Panels that show 0, or nothing but 0, while all is well. */
const QUIET: { readonly [title: string]: string } = {
  Failed: 'Postern does not fail',
  'Failures against the budget': 'the same',
  'Slow checks against the budget': 'no check is slow on a good day',
  'Failures of checks': 'no port fails',
  'Posterns without the store': 'the store is there',
  'Trips that failed': 'the same',
  'Fetches of key sets': 'the one fetch comes before the first scrape',
  'Figures not kept': 'the same',
  'Wiring warnings': 'Envoy is wired well',
  'Workspaces at the end': 'a window may have started anew',
  'Workspaces near the end': 'the same',
  'Key sets that cannot be used': 'the issuer answers',
  'Subjects in memory': 'Redis counts',
  'Audit waiting': 'sinks are quick',
  'Audit in memory': 'the same',
  'Audit dropped': 'the same',
  'Waiting for webhooks': 'the webhook is quick',
  'Let through unasked': 'Envoy lets nobody through unasked',
};

let stage: Stage;
let text: string;
/** When the load ended, in seconds. */
let endedAt: number | undefined;

async function ask(expr: string): Promise<readonly Series[]> {
  const to = endedAt ?? Math.floor(Date.now() / 1000);
  return stage.prometheus.query(fillIn(expr, WINDOW), { from: to - SHOWN, to, step: 1 });
}

/** The numbers in an answer. */
function numbersOf(answer: readonly Series[]): readonly number[] {
  const all = answer.flatMap(({ values }) => values.map(([, value]) => Number(value)));
  return all.filter((value) => !Number.isNaN(value));
}

test('there is a Prometheus where it counts', () => {
  const isMissing = prometheus === undefined;
  if (isMissing) process.stderr.write(`\n! There is no Prometheus: ${PROMETHEUS_REMEDY}.\n`);
  expect(isMissing && process.env['CI'] !== undefined).toBe(false);
});

describe.skipIf(!canRun)('a Prometheus that scrapes a Postern and an Envoy under load', () => {
  beforeAll(async () => {
    stage = await openStage(envoyBinary);
    const play = stage.play(await actorsOf(stage, 1));
    const scraped = async () => {
      await pause(POLL_MS);
      const [counted] = await ask('count_over_time(up{job="postern"}[1m])');
      return Number(counted?.values.at(-1)?.[1] ?? 0);
    };
    const waitUntil = (count: number) =>
      waitFor(`${count} scrapes`, async () => (await scraped()) >= count, PATIENCE_MS);
    await waitUntil(2);
    stage.reload();
    await waitUntil(SCRAPES);
    const pages = [`${stage.opsUrl}/metrics`, `${stage.envoy.adminUrl}/stats/prometheus`];
    const told = await Promise.all(pages.map(async (page) => (await fetch(page)).text()));
    text = told.join('\n');
    endedAt = Math.floor(Date.now() / 1000);
    await play.stop();
  });

  afterAll(() => stage?.stop());

  test('scrapes both, and evaluates the rules of deploy/prometheus', async () => {
    expect(await stage.prometheus.state()).toEqual({ up: ['envoy', 'postern'], brokenRules: [] });
  });

  test.each(dashboards)('%s names only metrics that there are', (_, dashboard) => {
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
    const known = new Set(
      types.flatMap(([, name = '', type]) =>
        type === 'histogram' || type === 'summary'
          ? [`${name}_bucket`, `${name}_count`, `${name}_sum`]
          : [name],
      ),
    );
    const named = queriesOf(dashboard).flatMap(([, expr]) =>
      [...expr.matchAll(/(?<!\$)\b(?:postern|envoy)_\w+(?=[{[])/g)].map(([name]) => name),
    );
    expect(named.length).toBeGreaterThan(10);
    expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([]);
  });

  test.each(dashboards)('every query of %s is answered with data', async (_, dashboard) => {
    const silent: string[] = [];
    const asked = panelsOf(dashboard).flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => [`${title} ${refId}`, expr] as const),
    );
    for (const [name, expr] of asked) {
      if (numbersOf(await ask(expr)).length === 0) silent.push(name);
    }
    expect(silent).toEqual([]);
  });

  test.each(dashboards)(
    'every panel of %s but the quiet ones shows more than zero',
    async (_, one) => {
      const empty: string[] = [];
      for (const { title, targets = [] } of panelsOf(one)) {
        const answers = await Promise.all(targets.map(({ expr }) => ask(expr)));
        const isZero = !answers.flatMap(numbersOf).some((value) => value > 0);
        if (isZero && !(title in QUIET)) empty.push(title);
      }
      expect(empty).toEqual([]);
    },
  );

  test('a reload stands in the dashboards', async () => {
    const [, { annotations }] = dashboards[0] ?? ['', { annotations: { list: [] } }];
    const moments = numbersOf(await ask(annotations.list[0]?.expr ?? ''));
    expect(new Set(moments).size).toBe(2);
  });
});

test('a quiet panel is one that there is', () => {
  const titles = dashboards.flatMap(([, one]) => panelsOf(one).map(({ title }) => title));
  expect(Object.keys(QUIET).filter((title) => !titles.includes(title))).toEqual([]);
});
