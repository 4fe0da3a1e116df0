/**
 * What one installation has in common. Jobs have many names (Compose, ServiceMonitor, PodMonitor), so series are chosen by
 * their own names, and told apart by these labels; one that is not there, like `cluster`, does no harm.
 */
export const JOB = 'cluster, namespace, job';
/** One process. */
export const INSTANCE = `${JOB}, instance`;

/** Envoy's counters of the filter that asks Postern, which `stat_prefix: postern` in its configuration names. */
export const FILTER = '{envoy_ext_authz_prefix="postern"}';
/** Envoy's cluster of Posterns: named by hand, or by Istio or Envoy Gateway after the Service or the policy. */
export const ENVOY_CLUSTER = '{envoy_cluster_name=~"postern|.*[|/]postern[./|].*"}';

/** By how much a counter grew in a window, a counter included that appeared in it with a value at once. */
export function grown(series: string, window: string): string {
  return `(${series} unless ${series} offset ${window}) or increase(${series}[${window}])`;
}
