import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { credentials } from './credentials.ts';
import { buildDashboard } from './frame.ts';
import { limits } from './limits.ts';
import { overview } from './overview.ts';
import { store } from './store.ts';

/** Where the dashboards stand, from the root. */
export const DASHBOARD_FOLDER = 'deploy/grafana/dashboards';

const COMPONENT = 'deploy/kustomize/components/grafana-dashboards';

/** The dashboards by the name of their file. */
export function dashboards(): ReadonlyMap<string, Dashboard> {
  return new Map(
    Object.entries({
      overview: overview(),
      limits: limits(),
      credentials: credentials(),
      store: store(),
    }).map(([name, spec]) => [`${name}.json`, buildDashboard(spec)]),
  );
}

/** The dashboards as Grafana reads them, by path from the root: for files, and for ConfigMaps, which take none from elsewhere. */
export function dashboardFiles(): ReadonlyMap<string, string> {
  return new Map(
    [...dashboards()].flatMap(([name, dashboard]) => {
      const text = `${JSON.stringify(dashboard, undefined, 2)}\n`;
      return [
        [`${DASHBOARD_FOLDER}/${name}`, text] as const,
        [`${COMPONENT}/postern-${name}`, text] as const,
      ];
    }),
  );
}
