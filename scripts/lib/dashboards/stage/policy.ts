import { join } from 'node:path';
import type { StageIssuer, StageKey } from './credentials.ts';

/** The callers of the stage; each of the first three has a workspace of its own. */
export type Cast = {
  readonly acme: StageKey;
  readonly globex: StageKey;
  readonly initech: StageKey;
  readonly expired: StageKey;
};

export type StagePlaces = {
  readonly redisUrl: string;
  readonly webhookUrl: string;
  readonly tls: { readonly cert: string; readonly key: string };
  /** Where audit files go. */
  readonly folder: string;
};

/** What signs the messages of the stage to its own webhook. */
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const ANY = '127.0.0.1:0';

/** A policy in which everything that the dashboards show can happen. */
export function stagePolicy(cast: Cast, issuer: StageIssuer, places: StagePlaces): object {
  const webhook = { url: places.webhookUrl, secret: SECRET };
  return {
    product: 'Stage',
    listen: { check: { address: ANY, tls: places.tls }, api: ANY, ops: ANY },
    store: places.redisUrl,
    audit: {
      sinks: [
        'stdout',
        { file: { path: join(places.folder, 'audit.jsonl') } },
        { redis: {} },
        { webhook },
      ],
      spool: join(places.folder, 'spool'),
    },
    alerts: {
      failures: [
        { by: 'ip', per_minute: 30 },
        { by: 'key', per_minute: 10 },
      ],
      cool_down: '10s',
      webhooks: [webhook],
    },
    scopes: { 'orders:read': 'Read orders', 'orders:write': 'Write orders' },
    plans: PLANS,
    default_plan: 'team',
    workspaces: { acme: { plan: 'team' }, globex: { plan: 'large' }, initech: { plan: 'free' } },
    issuers: [issuerEntry(issuer)],
    api_keys: { declared: declared(cast) },
    routes: ROUTES,
  };
}

const PLANS = {
  free: { per_minute: 20, per_hour: 2000 },
  team: { per_minute: 1000, burst: 200 },
  large: { per_minute: 3000 },
};

const ROUTES = [
  { name: 'pages', path: '/', access: 'public' },
  { name: 'orders', path: '/orders/**', access: ['api_key', 'jwt'], scopes: ['orders:read'] },
  { name: 'new-order', path: '/new/**', access: ['api_key'], scopes: ['orders:write'] },
  {
    name: 'search',
    path: '/search',
    access: ['api_key', 'jwt', 'anonymous'],
    limits: [{ name: 'each', by: 'ip', per_minute: 200 }],
  },
  { name: 'export', path: '/export', access: ['api_key'], sensitive: true },
];

function issuerEntry({ url, jwks }: StageIssuer): object {
  const claims = { username: 'sub', scopes: 'scope', workspace: 'org', plan: 'plan' };
  return { name: 'id', issuer: url, audience: 'api', jwks, claims };
}

function declared({ acme, globex, initech, expired }: Cast): readonly object[] {
  const scopes = ['orders:read'];
  return [
    { id: 'acme', workspace: 'acme', hash: acme.hash, scopes },
    { id: 'globex', workspace: 'globex', hash: globex.hash, scopes: ['orders:*'] },
    { id: 'initech', workspace: 'initech', hash: initech.hash, scopes },
    { id: 'old', workspace: 'acme', hash: expired.hash, expires_at: '2020-01-01T00:00:00Z' },
  ];
}
