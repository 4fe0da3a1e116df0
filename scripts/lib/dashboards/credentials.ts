import type { DashboardSpec } from './frame.ts';
import { lines, stat } from './panel.ts';
import { grown, orZero, ours, rate, share } from './query.ts';
import { table } from './table.ts';

const CREDENTIALS = 'postern_credentials_total';
const ACCEPTED = 'outcome="accepted"';
const REFUSED = 'outcome!="accepted"';
const FETCHES = 'postern_jwks_fetches_total';
const CACHE = 'postern_token_cache_total';
const ALERTS = 'postern_alerts_total';

/** Who comes in with what, and who should be looked at. */
export function credentials(): DashboardSpec {
  return {
    uid: 'postern-credentials',
    title: 'Postern / Credentials and alerts',
    description:
      'What became of keys and tokens, whether issuers answer, and what Postern warns about.',
    rows: [
      { title: 'Now', panels: now() },
      { title: 'Keys and tokens', panels: outcomes() },
      { title: 'Issuers', panels: issuers() },
      { title: 'Alerts', panels: alerts() },
    ],
  };
}

function now() {
  return [
    stat({
      title: 'Credentials accepted',
      description:
        'Part of the checked credentials that were good. A sudden fall: see the outcomes below.',
      unit: 'percentunit',
      queries: [
        { expr: share(`sum(${rate(CREDENTIALS, ACCEPTED)})`, `sum(${rate(CREDENTIALS)})`) },
      ],
      width: 5,
      decimals: 1,
    }),
    stat({
      title: 'Refused credentials',
      description: 'Keys and tokens that are not taken, and requests without any.',
      unit: 'reqps',
      queries: [{ expr: orZero(`sum(${rate(CREDENTIALS, REFUSED)})`) }],
      width: 5,
    }),
    stat({
      title: 'Key sets that cannot be used',
      description:
        'Issuers whose public keys Postern has none of: their tokens get 503. See the log for why.',
      unit: 'none',
      queries: [{ expr: orZero(`sum(${ours('postern_jwks_unusable')})`) }],
      width: 5,
      colours: ['green', [1, 'red']],
    }),
    stat({
      title: 'Tokens known already',
      description:
        'Part of the tokens whose signature was checked before and is not checked again.',
      unit: 'percentunit',
      queries: [{ expr: share(`sum(${rate(CACHE, 'outcome="hit"')})`, `sum(${rate(CACHE)})`) }],
      width: 5,
      decimals: 1,
    }),
    stat({
      title: 'Alerts',
      description:
        'Alerts raised in the time shown. Somebody should look at each: see /v1/alerts for whose they are.',
      unit: 'none',
      queries: [{ expr: orZero(`round(sum(${grown(ALERTS)}))`), isInstant: true }],
      width: 4,
      colours: ['green', [1, 'orange']],
    }),
  ];
}

function outcomes() {
  return [
    lines({
      title: 'Accepted by method',
      description:
        'Good credentials by kind; anonymous is a caller without one, where a route allows that.',
      unit: 'reqps',
      queries: [
        { expr: orZero(`sum by (method) (${rate(CREDENTIALS, ACCEPTED)})`), legend: '{{method}}' },
      ],
      width: 8,
      isStacked: true,
    }),
    lines({
      title: 'Refused by reason',
      description:
        'Why credentials are refused. Many unknown keys: somebody guesses. Many expired tokens: a client does not renew.',
      unit: 'reqps',
      queries: [
        {
          expr: orZero(`sum by (method, outcome) (${rate(CREDENTIALS, REFUSED)})`),
          legend: '{{method}}: {{outcome}}',
        },
      ],
      width: 8,
    }),
    lines({
      title: 'Notices',
      description:
        'What changed no answer and should be known: a key sent in plain text, a key in a browser, an address that cannot be believed.',
      unit: 'reqps',
      queries: [
        {
          expr: orZero(`sum by (notice) (${rate('postern_notices_total')})`),
          legend: '{{notice}}',
        },
      ],
      width: 8,
    }),
  ];
}

function issuers() {
  return [
    lines({
      title: 'Tokens by issuer',
      description:
        'Accepted tokens by the name of their issuer in the policy. None of one: see its key set.',
      unit: 'reqps',
      queries: [
        {
          expr: orZero(`sum by (issuer) (${rate(CREDENTIALS, `method="jwt", ${ACCEPTED}`)})`),
          legend: '{{issuer}}',
        },
      ],
      width: 8,
      isStacked: true,
    }),
    table({
      title: 'Key sets',
      description:
        'Public keys held for each issuer, sets that cannot be used, and fetches that failed in the time shown.',
      unit: 'none',
      queries: [
        { expr: orZero(`min by (issuer) (${ours('postern_jwks_keys')})`) },
        { expr: orZero(`max by (issuer) (${ours('postern_jwks_unusable')})`) },
        {
          expr: orZero(
            `round(sum by (issuer) (${grown(FETCHES, 'outcome="failed"')})) or sum by (issuer) (${ours('postern_jwks_keys')}) * 0`,
          ),
        },
      ],
      labels: { issuer: 'Issuer' },
      columns: [
        { name: 'Keys', colours: ['red', [1, 'green']] },
        { name: 'Unusable', colours: ['green', [1, 'red']] },
        { name: 'Failed fetches', colours: ['green', [1, 'yellow']] },
      ],
      width: 8,
    }),
    lines({
      title: 'Fetches of key sets',
      description:
        'How often key sets are fetched, by issuer and outcome. Failures: the issuer does not answer, or not with keys.',
      unit: 'ops',
      queries: [
        {
          expr: orZero(`sum by (issuer, outcome) (${rate(FETCHES)})`),
          legend: '{{issuer}}: {{outcome}}',
        },
      ],
      width: 8,
    }),
  ];
}

function alerts() {
  return [
    table({
      title: 'Alerts by name',
      description:
        'Alerts in the time shown, and how many like them were held back so that nobody is told twice. Nobody is named here.',
      unit: 'none',
      queries: [
        { expr: orZero(`round(sum by (alert) (${grown(ALERTS)}))`) },
        { expr: orZero(`round(sum by (alert) (${grown('postern_alerts_suppressed_total')}))`) },
      ],
      labels: { alert: 'Alert' },
      columns: [{ name: 'Raised', colours: ['green', [1, 'orange']] }, { name: 'Held back' }],
      width: 7,
    }),
    lines({
      title: 'Alerts over time',
      description:
        'Alerts by name, and all those that were held back because one like them had just been told.',
      unit: 'ops',
      queries: [
        { expr: orZero(`sum by (alert) (${rate(ALERTS)})`), legend: '{{alert}}' },
        { expr: orZero(`sum(${rate('postern_alerts_suppressed_total')})`), legend: 'held back' },
      ],
      width: 6,
    }),
    lines({
      title: 'Webhooks',
      description:
        'Deliveries by webhook and outcome. Failed ones are tried again; dropped ones are lost: see whether its host answers.',
      unit: 'ops',
      queries: [
        {
          expr: orZero(`sum by (webhook, outcome) (${rate('postern_webhook_deliveries_total')})`),
          legend: '{{webhook}}: {{outcome}}',
        },
      ],
      width: 7,
    }),
    stat({
      title: 'Waiting for webhooks',
      description:
        'Messages that no webhook has taken yet; their number is bounded, and what does not fit is dropped.',
      unit: 'none',
      queries: [{ expr: orZero(`sum(${ours('postern_webhook_waiting')})`) }],
      width: 4,
      colours: ['green', [100, 'yellow']],
    }),
  ];
}
