import { stringify } from 'yaml';
import { budgetAlerts } from './budget.ts';
import { ENVOY_ALERTS } from './envoy-alerts.ts';
import { OPERATION_ALERTS } from './operation-alerts.ts';
import { PROCESS_ALERTS } from './process-alerts.ts';
import { recordings } from './recordings.ts';
import { REFUSAL_ALERTS } from './refusal-alerts.ts';
import type { AlertRule, RuleGroup } from './rule.ts';
import { STORE_ALERTS } from './store-alerts.ts';

/** Where people of an installation find docs/runbooks; docs/runbooks/README.md says how to set a place of one's own. */
export const RUNBOOKS = 'https://docs.example.com/postern/runbooks';

const MADE = 'Made by `npm run generate` from scripts/lib/rules. Do not edit.';

/** Every alert, in groups. */
function alertGroups(): readonly RuleGroup<AlertRule>[] {
  return [
    budgetAlerts(),
    { name: 'postern-process-alerts', rules: PROCESS_ALERTS },
    { name: 'postern-refusal-alerts', rules: REFUSAL_ALERTS },
    { name: 'postern-store-alerts', rules: STORE_ALERTS },
    { name: 'postern-operation-alerts', rules: OPERATION_ALERTS },
    { name: 'postern-envoy-alerts', rules: ENVOY_ALERTS },
  ];
}

/** The files of rules by path: two for Prometheus, and the same for its operator. */
export function ruleFiles(): ReadonlyMap<string, string> {
  const alerts = alertGroups().map(writeAlerts);
  const both = [...recordings(), ...alerts];
  return new Map([
    ['deploy/prometheus/postern.rules.yaml', write({ groups: recordings() })],
    ['deploy/prometheus/postern-alerts.rules.yaml', write({ groups: alerts })],
    [
      'deploy/kustomize/components/prometheus-rules/prometheus-rule.yaml',
      write({
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'PrometheusRule',
        // It is about all namespaces.
        metadata: { name: 'postern', namespace: 'monitoring' },
        spec: { groups: both },
      }),
    ],
  ]);
}

function writeAlerts({ rules, ...group }: RuleGroup<AlertRule>) {
  return { ...group, rules: rules.map(writeAlert) };
}

function writeAlert({ severity, window, summary, description, ...rule }: AlertRule) {
  const runbook_url = `${RUNBOOKS}/${rule.alert}.md`;
  const labels = { severity, ...(window !== undefined && { window }) };
  return { ...rule, labels, annotations: { summary, description, runbook_url } };
}

function write(document: object): string {
  return `# ${MADE}\n${stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}
