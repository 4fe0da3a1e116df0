/** How soon somebody must look: at once, today, or when there is time. */
export type RuleSeverity = 'critical' | 'warning' | 'info';

/** A series that Prometheus keeps under a name of the form `level:metric:operation`. */
export type Recording = { readonly record: string; readonly expr: string };

/** A condition that somebody should know of; texts may name labels of `expr` as `{{ $labels.NAME }}`. */
export type AlertRule = {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold, as Prometheus writes it; at once when absent. */
  readonly for?: string;
  readonly severity: RuleSeverity;
  /** Tells apart rules of one name and severity: the longer of the windows that they look at. */
  readonly window?: string;
  readonly summary: string;
  readonly description: string;
};

/** Rules that are judged together, in their order. */
export type RuleGroup<R extends Recording | AlertRule> = {
  readonly name: string;
  /** How often, as Prometheus writes it; as often as it is told to when absent. */
  readonly interval?: string;
  readonly rules: readonly R[];
};
