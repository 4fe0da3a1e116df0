import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findPrometheus, PROMETHEUS_REMEDY } from '../../scripts/lib/prometheus.ts';
import { RUNBOOKS } from '../../scripts/lib/rules/files.ts';
import { documentsOf, ROOT } from './manifests.ts';
import {
  type Alert,
  allAlerts,
  allGroups,
  expectationsIn,
  groupsIn,
  orderIn,
  queriesIn,
  RULE_FILES,
  readRunbook,
  UNIT_TESTS,
} from './prometheus-rules.ts';

const alerts = allAlerts();
const names = [...new Set(alerts.map(({ alert }) => alert))].sort();
const expectations = UNIT_TESTS.flatMap(expectationsIn);
const promtool = findPrometheus('promtool');

if (!promtool) {
  if (process.env['CI']) throw new Error(`There is no promtool: ${PROMETHEUS_REMEDY}.`);
  process.stderr.write(
    `\n! There is no promtool: tests of rules are SKIPPED; ${PROMETHEUS_REMEDY}.\n\n`,
  );
}

/** What promtool says, and how it ended. */
function ask(
  ...args: readonly string[]
): Promise<{ readonly status: number; readonly said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(promtool ?? '', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ status: code ?? 1, said }));
  });
}

describe.skipIf(promtool === undefined)('promtool', () => {
  test('finds nothing wrong with the rules', async () => {
    const { said, status } = await ask('check', 'rules', ...RULE_FILES);
    expect(said).not.toMatch(/FAILED|error/);
    expect(status).toBe(0);
  });

  test('reads every query of the runbooks', async () => {
    const rules = names.flatMap(queriesIn).map((expr, at) => ({ record: `query_${at}`, expr }));
    const folder = mkdtempSync(join(tmpdir(), 'postern-queries-'));
    try {
      const file = join(folder, 'queries.yaml');
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }));
      const { said, status } = await ask('check', 'rules', file);
      expect(said).toContain(`SUCCESS: ${rules.length} rules found`);
      expect(status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.concurrent.each(UNIT_TESTS)('finds that all of %s holds', async (file) => {
    const { said, status } = await ask('test', 'rules', file);
    expect(said).toContain('SUCCESS');
    expect(status).toBe(0);
  });
});

/** The alert as a sample shows it. */
const isOf = ({ alert, labels }: Alert, sample: { readonly [label: string]: string }) =>
  sample['alertname'] === alert &&
  sample['severity'] === labels.severity &&
  sample['window'] === labels.window;
const tell = ({ alert, labels }: Alert) =>
  [alert, labels.severity, labels.window].filter((part) => part !== undefined).join(' ');

describe.each(alerts.map((one) => [tell(one), one] as const))('%s', (_, one) => {
  const about = expectations.filter(({ alert }) => alert === one.alert);

  test('has a unit test in which it fires', () => {
    expect(about.some(({ firing }) => firing.some((sample) => isOf(one, sample)))).toBe(true);
  });

  test('has a unit test in which it never does', () => {
    const firing = about.filter(({ firing }) => firing.some((sample) => isOf(one, sample)));
    const loud = new Set(firing.map(({ test }) => test));
    expect(about.filter(({ test }) => !loud.has(test))).not.toEqual([]);
  });

  test('names in its texts only labels that it then has', () => {
    const { summary, description } = one.annotations;
    const named = [...`${summary} ${description}`.matchAll(/\$labels\.(\w+)/g)].map(
      ([, name]) => name,
    );
    const fired = about.flatMap(({ firing }) => firing).filter((sample) => isOf(one, sample));
    for (const sample of fired) expect(named.filter((name) => !(`${name}` in sample))).toEqual([]);
  });

  test('says what is wrong in sentences, and where to read on', () => {
    const { summary, description, runbook_url } = one.annotations;
    expect(one.alert).toMatch(/^Postern[A-Z]/);
    expect(summary).toMatch(/^[A-Z].{10,90}\.$|\{\{ \$labels\.\w+ \}\}\.$/);
    expect(description).toMatch(/\.$/);
    expect(runbook_url).toBe(`${RUNBOOKS}/${one.alert}.md`);
  });
});

describe('rules', () => {
  test('are loaded by the Prometheus of the laptop: their names fit its glob', () => {
    const [config] = documentsOf('deploy/compose/prometheus.yaml');
    expect(config?.['rule_files']).toEqual(['/etc/prometheus/rules/*.rules.yaml']);
    const standing = globSync('deploy/prometheus/*', { cwd: ROOT }).sort();
    expect(standing).toEqual(RULE_FILES);
    expect(RULE_FILES.length).toBe(2);
  });

  test('are the same for the operator', () => {
    const folder = 'deploy/kustomize/components/prometheus-rules';
    const [rule] = documentsOf(`${folder}/prometheus-rule.yaml`);
    expect(rule?.['kind']).toBe('PrometheusRule');
    const byName = (groups: ReturnType<typeof allGroups>) =>
      groups.toSorted((a, b) => a.name.localeCompare(b.name));
    expect(byName(groupsIn(Object(rule?.['spec'])))).toEqual(byName(allGroups()));
  });

  test('that are recorded have names of three parts, and each that is read is recorded', () => {
    const rules = allGroups().flatMap(({ rules: own }) => own);
    const recorded = rules.flatMap((rule) => ('record' in rule ? rule.record : []));
    for (const name of recorded) expect(name).toMatch(/^[a-z_]+:[a-z_]+:[a-z0-9_]+$/);
    expect(new Set(recorded).size).toBe(recorded.length);
    const read = rules.flatMap(({ expr }) => expr.match(/\w+:\w+:\w+/g) ?? []);
    expect(read.filter((name) => !recorded.includes(name))).toEqual([]);
    expect(read.length).toBeGreaterThan(20);
  });

  test('are evaluated by each unit test in their order, recordings first', () => {
    const isOfAlerts = (name: string) => (name.endsWith('-alerts') ? 1 : 0);
    const groups = allGroups()
      .map(({ name }) => name)
      .sort();
    for (const file of UNIT_TESTS) {
      const order = orderIn(file);
      expect(order.toSorted()).toEqual(groups);
      expect(order).toEqual(order.toSorted((a, b) => isOfAlerts(a) - isOfAlerts(b)));
    }
  });
});

describe('runbooks', () => {
  test('are there for each alert, and for nothing else', () => {
    const pages = globSync('docs/runbooks/*.md', { cwd: ROOT }).map((path) =>
      basename(path, '.md'),
    );
    expect(pages.filter((page) => page !== 'README').sort()).toEqual(names);
  });

  test('are all in the index, with the severity that they have', () => {
    const index = readRunbook('README');
    for (const name of names) {
      const severities = alerts
        .filter(({ alert }) => alert === name)
        .map(({ labels }) => labels.severity);
      const row = index.split('\n').find((line) => line.startsWith(`| [${name}](${name}.md) |`));
      expect([name, [...new Set(severities)].filter((one) => !row?.includes(one))]).toEqual([
        name,
        [],
      ]);
    }
    expect(index).toContain(RUNBOOKS);
  });

  test.each(names)(
    '%s says what it means, what is noticed, how to look, what to do and when it is false',
    (name) => {
      const page = readRunbook(name);
      expect(page.startsWith(`# ${name}\n`)).toBe(true);
      const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
      expect(headings).toEqual([
        'What it means',
        'What users notice',
        'How to look',
        'What to do',
        'When it is false',
      ]);
      expect(queriesIn(name)).not.toEqual([]);
    },
  );

  test.each(['README', ...names])('%s links to what is there', (name) => {
    const links = [...readRunbook(name).matchAll(/\]\(([^)#:]*)(?:#([^)]*))?\)/g)];
    for (const [link, path = '', anchor] of links) {
      const text = readFileSync(join(ROOT, 'docs/runbooks', path), 'utf8');
      const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => slug(heading));
      expect([link, anchor === undefined || headings.includes(anchor)]).toEqual([link, true]);
    }
  });
});

/** The anchor of a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}
