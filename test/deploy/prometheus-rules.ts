import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { documentsOf, ROOT } from './manifests.ts';

const recording = z.strictObject({ record: z.string(), expr: z.string() });

const alert = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({
    severity: z.enum(['critical', 'warning', 'info']),
    window: z.string().optional(),
  }),
  annotations: z.strictObject({
    summary: z.string(),
    description: z.string(),
    runbook_url: z.string(),
  }),
});

const group = z.strictObject({
  name: z.string(),
  interval: z.string().optional(),
  rules: z.array(z.union([recording, alert])),
});

export type Alert = z.infer<typeof alert>;
export type Group = z.infer<typeof group>;

/** The files that Prometheus loads, from the root. */
export const RULE_FILES = globSync('deploy/prometheus/*.rules.yaml', { cwd: ROOT }).sort();
/** The unit tests of rules, from the root. */
export const UNIT_TESTS = globSync('test/deploy/rules/*.test.yaml', { cwd: ROOT }).sort();

/** Groups as they stand in a document of rules. */
export function groupsIn(document: object): readonly Group[] {
  return z.looseObject({ groups: z.array(group) }).parse(document).groups;
}

/** All groups of the files for Prometheus. */
export function allGroups(): readonly Group[] {
  return RULE_FILES.flatMap(documentsOf).flatMap(groupsIn);
}

/** All alerts; one name may stand there for several severities. */
export function allAlerts(): readonly Alert[] {
  return allGroups().flatMap(({ rules }) => rules.flatMap((rule) => ('alert' in rule ? rule : [])));
}

/** What a unit test says of alerts at one moment: which of a name fire, by the labels that they then have. */
export type Expectation = {
  readonly test: string;
  readonly alert: string;
  readonly firing: readonly { readonly [label: string]: string }[];
};

const unitTests = z.looseObject({
  group_eval_order: z.array(z.string()),
  tests: z.array(
    z.looseObject({
      name: z.string(),
      promql_expr_test: z.array(
        z.strictObject({
          expr: z.string(),
          eval_time: z.string(),
          exp_samples: z
            .array(z.strictObject({ labels: z.string(), value: z.literal(1) }))
            .default([]),
        }),
      ),
    }),
  ),
});

/** In which order a file of unit tests evaluates the groups. */
export function orderIn(file: string): readonly string[] {
  return documentsOf(file).flatMap((one) => unitTests.parse(one).group_eval_order);
}

/** Every expectation of a file of unit tests about alerts that fire. */
export function expectationsIn(file: string): readonly Expectation[] {
  const tests = documentsOf(file).flatMap((one) => unitTests.parse(one).tests);
  return tests.flatMap(({ name, promql_expr_test: asked }) =>
    asked
      .filter(({ expr }) => expr.includes('alertstate="firing"'))
      .map(({ expr, exp_samples: samples }) => ({
        test: name,
        alert: labelsOf(expr)['alertname'] ?? '',
        firing: samples.map(({ labels }) => labelsOf(labels)),
      })),
  );
}

/** The labels of `name{label="value",...}`. */
export function labelsOf(series: string): { readonly [label: string]: string } {
  const pairs = series.matchAll(/(\w+)="([^"]*)"/g);
  return Object.fromEntries([...pairs].map(([, name = '', value = '']) => [name, value]));
}

/** A runbook as text. Throws when there is none. */
export function readRunbook(name: string): string {
  return readFileSync(join(ROOT, 'docs/runbooks', `${name}.md`), 'utf8');
}

/** The queries of a runbook, a line each. */
export function queriesIn(name: string): readonly string[] {
  const blocks = [...readRunbook(name).matchAll(/```promql\n([^`]+)\n```/g)];
  return blocks.flatMap(([, lines = '']) => lines.split('\n'));
}
