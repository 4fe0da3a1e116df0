import type { DashboardSpec } from './frame.ts';
import { lines, stat } from './panel.ts';
import { envoys, orZero, ours, quantile, rate } from './query.ts';
import { table } from './table.ts';

const TRIPS = 'postern_store_trip_duration_seconds';
const NOT_AFTER = 'postern_certificate_not_after_timestamp_seconds';
const DAY_SECONDS = 86_400;
const IS_UP = { 0: ['down', 'red'], 1: ['up', 'green'] } as const;

/** What Postern stands on, and what Envoy sees of it. */
export function store(): DashboardSpec {
  return {
    uid: 'postern-store',
    title: 'Postern / Store and process',
    description:
      'The store, the audit stream, the policy, the processes, and what Envoy counts by itself.',
    hasEnvoys: true,
    rows: [
      { title: 'Now', panels: [...now(), ...held()] },
      { title: 'Store', panels: trips() },
      { title: 'Audit', panels: audit() },
      { title: 'Envoy', panels: envoy() },
      { title: 'Process', panels: processes() },
    ],
  };
}

function now() {
  return [
    stat({
      title: 'Store',
      description:
        'Whether the store answers every Postern. Down: limits are counted in memory, keys come from the cache.',
      unit: 'none',
      queries: [{ expr: `min(${ours('postern_store_up')})` }],
      width: 4,
      words: IS_UP,
      colours: ['red', [1, 'green']],
    }),
    stat({
      title: 'Posterns without the store',
      description: 'Instances that decide without the store: their limits hold for each alone.',
      unit: 'none',
      queries: [{ expr: `sum(${ours('postern_degraded')})` }],
      width: 4,
      colours: ['green', [1, 'orange']],
    }),
    stat({
      title: 'Last reload',
      description:
        'Whether the last change of the policy was taken everywhere. Refused: the one before decides; see the log.',
      unit: 'none',
      queries: [{ expr: `min(${ours('postern_policy_last_reload_successful')})` }],
      width: 4,
      words: { 0: ['refused', 'red'], 1: ['taken', 'green'] },
      colours: ['red', [1, 'green']],
    }),
    stat({
      title: 'Policies in force',
      description:
        'Different policies that decide at this moment. More than one for minutes: an instance missed a change.',
      unit: 'none',
      queries: [{ expr: `count(count by (hash) (${ours('postern_policy_info')}))` }],
      width: 4,
      colours: ['green', [2, 'yellow']],
    }),
  ];
}

function held() {
  return [
    stat({
      title: 'Certificate left',
      description:
        'Until the certificate that Envoy is shown ends; empty without TLS. Little left: it is not renewed.',
      unit: 's',
      queries: [{ expr: `min(${ours(NOT_AFTER)}) - time()` }],
      width: 4,
      colours: ['red', [2 * DAY_SECONDS, 'yellow'], [14 * DAY_SECONDS, 'green']],
    }),
    stat({
      title: 'Wiring warnings',
      description:
        'Kinds of signs in requests that Envoy is wired against the policy: run postern validate --envoy.',
      unit: 'none',
      queries: [{ expr: `sum(max by (warning) (${ours('postern_wiring_warnings')}))` }],
      width: 4,
      colours: ['green', [1, 'red']],
    }),
  ];
}

function trips() {
  return [
    lines({
      title: 'Time of trips to the store',
      description:
        'The slowest in a hundred, by what was asked. They are a part of the time of a check.',
      unit: 's',
      queries: [{ expr: orZero(quantile(0.99, TRIPS, ['operation'])), legend: '{{operation}}' }],
      width: 8,
    }),
    lines({
      title: 'Trips to the store',
      description:
        'How often the store is asked, by what. Far fewer than checks: caches and leases do their work.',
      unit: 'ops',
      queries: [
        { expr: orZero(`sum by (operation) (${rate(`${TRIPS}_count`)})`), legend: '{{operation}}' },
      ],
      width: 8,
      isStacked: true,
    }),
    lines({
      title: 'Trips that failed',
      description:
        'Late: over the time allowed. Down: nobody there. See the breakers, then the store itself.',
      unit: 'ops',
      queries: [
        {
          expr: orZero(`sum by (operation, outcome) (${rate('postern_store_failures_total')})`),
          legend: '{{operation}}: {{outcome}}',
        },
      ],
      width: 8,
    }),
    table({
      title: 'Breakers',
      description:
        'Instances whose breaker is open or half open, by server of the store: an open one asks nothing for a while.',
      unit: 'none',
      queries: [
        { expr: breakers('open') },
        { expr: breakers('half_open') },
        { expr: breakers('closed') },
      ],
      labels: { node: 'Server' },
      columns: [
        { name: 'Open', colours: ['green', [1, 'red']] },
        { name: 'Half open', colours: ['green', [1, 'yellow']] },
        { name: 'Closed' },
      ],
      width: 8,
    }),
    lines({
      title: 'Figures not kept',
      description:
        'Uses of keys and refused decisions that the store did not take, and writes that were tried again.',
      unit: 'ops',
      queries: [
        { expr: `sum(${rate('postern_store_dropped')})`, legend: 'dropped' },
        { expr: `sum(${rate('postern_store_write_failures')})`, legend: 'tried again' },
      ],
      width: 8,
    }),
    lines({
      title: 'Failures of checks',
      description:
        'Checks denied because a port failed (the store, an issuer) or by a bug: each stands in the log.',
      unit: 'reqps',
      queries: [
        { expr: orZero(`sum by (kind) (${rate('postern_failures_total')})`), legend: '{{kind}}' },
      ],
      width: 8,
    }),
  ];
}

function breakers(state: string): string {
  return orZero(`sum by (node) (${ours('postern_store_breaker', `state="${state}"`)})`);
}

function audit() {
  return [
    lines({
      title: 'Audit events',
      description:
        'Events by sink and outcome. Dropped ones are lost; failed ones are tried again.',
      unit: 'ops',
      queries: [
        {
          expr: orZero(`sum by (sink, outcome) (${rate('postern_audit_events_total')})`),
          legend: '{{sink}}: {{outcome}}',
        },
      ],
      width: 8,
    }),
    lines({
      title: 'Audit waiting',
      description:
        'Events that a sink has not taken yet. Rising: the sink is slower than the events come.',
      unit: 'short',
      queries: [
        {
          expr: orZero(`sum by (sink) (${ours('postern_audit_waiting_events')})`),
          legend: '{{sink}}',
        },
      ],
      width: 8,
    }),
    lines({
      title: 'Audit in memory',
      description:
        'Bytes not yet written, of all sinks; the memory for them is bounded, and what does not fit is dropped.',
      unit: 'bytes',
      queries: [{ expr: `sum(${ours('postern_audit_waiting_bytes')})`, legend: 'waiting' }],
      width: 4,
    }),
    stat({
      title: 'Audit dropped',
      description:
        'Events lost since the processes started. Any at all: find the sink on the left.',
      unit: 'none',
      queries: [{ expr: `sum(${ours('postern_audit_dropped')})` }],
      width: 4,
      colours: ['green', [1, 'red']],
    }),
  ];
}

function envoy() {
  const counter = (name: string) =>
    `sum(rate(${envoys(`envoy_http_ext_authz_${name}`)}[$__rate_interval]))`;
  return [
    lines({
      title: 'What Envoy counts',
      description:
        'Checks as Envoy sees them. Errors without failures above: Envoy does not reach Postern, or not in time.',
      unit: 'reqps',
      queries: ['ok', 'denied', 'error'].map((name) => ({
        expr: orZero(counter(name)),
        legend: name,
      })),
      width: 12,
    }),
    lines({
      title: 'Let through unasked',
      description:
        'Requests that Envoy let through although Postern did not answer (failure_mode_allow), and those where it does not ask. The first must be 0.',
      unit: 'reqps',
      queries: [
        { expr: orZero(counter('failure_mode_allowed')), legend: 'without an answer' },
        { expr: orZero(counter('disabled')), legend: 'not asked' },
      ],
      width: 12,
    }),
  ];
}

function processes() {
  return [
    lines({
      title: 'Processor',
      description:
        'Cores in use, by instance. One event loop is near its end at 1: run more instances.',
      unit: 'none',
      queries: [
        {
          expr: `sum by (instance) (${rate('postern_process_cpu_seconds_total')})`,
          legend: '{{instance}}',
        },
      ],
      width: 8,
      colours: ['green', [0.8, 'yellow'], [1, 'red']],
    }),
    lines({
      title: 'Event loop',
      description:
        'How late the event loop is at its worst, by instance; it answers nothing meanwhile. About 10 ms is rest.',
      unit: 's',
      queries: [
        {
          expr: `max by (instance) (${ours('postern_nodejs_eventloop_lag_p99_seconds')})`,
          legend: '{{instance}}',
        },
      ],
      width: 8,
      colours: ['green', [0.05, 'yellow'], [0.1, 'red']],
    }),
    lines({
      title: 'Memory',
      description: 'Memory of each process, and of its heap. Rising for days: report it.',
      unit: 'bytes',
      queries: [
        {
          expr: `max by (instance) (${ours('postern_process_resident_memory_bytes')})`,
          legend: '{{instance}}',
        },
        {
          expr: `max by (instance) (${ours('postern_nodejs_heap_size_used_bytes')})`,
          legend: '{{instance}} heap',
        },
      ],
      width: 8,
    }),
    lines({
      title: 'Garbage collection',
      description: 'Part of the time that collecting garbage takes, by kind.',
      unit: 'percentunit',
      queries: [
        {
          expr: orZero(`sum by (kind) (${rate('postern_nodejs_gc_duration_seconds_sum')})`),
          legend: '{{kind}}',
        },
      ],
      width: 8,
    }),
    lines({
      title: 'Policy reloads',
      description: 'Changes of the policy, by outcome; each stands as a line in every panel too.',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (outcome) (${rate('postern_policy_reloads_total')})`,
          legend: '{{outcome}}',
        },
      ],
      width: 8,
    }),
    table({
      title: 'Instances',
      description: 'What runs: version, since when, and with which policy.',
      unit: 'none',
      queries: [
        {
          expr: `time() - max by (instance) (${ours('postern_process_start_time_seconds')}) + on (instance) group_right () (max by (instance, version, node) (${ours('postern_build_info')}) * 0)`,
        },
      ],
      labels: { instance: 'Instance', version: 'Version', node: 'Node' },
      columns: [{ name: 'Up for', unit: 's' }],
      width: 8,
    }),
  ];
}
