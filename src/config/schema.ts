import * as z from 'zod';
import { DENIALS } from '../core/decision.ts';
import { IDENTITY_FIELDS } from '../core/policy.ts';
import { isGrant } from '../core/scope.ts';
import { plan, subject, workspace } from '../schema/plan.ts';
import {
  addressBlock,
  form,
  grant,
  headerName,
  key,
  line,
  oneOrMore,
  scope,
  slug,
  strict,
  timestamp,
} from '../schema/text.ts';
import { parseListen } from './location.ts';
import { alerts } from './schema-alerts.ts';
import { audit } from './schema-audit.ts';
import { issuer } from './schema-issuer.ts';
import { apiKeys } from './schema-key.ts';
import { route, routeDefaults } from './schema-route.ts';
import { keyCache, limits, onStoreFailure, store } from './schema-store.ts';

const listenAddress = form((text) =>
  parseListen(text) ? undefined : 'expected host:port, [v6]:port or unix:/path',
);
const DEFAULT_CHECK = '127.0.0.1:9191';

const tls = strict({
  cert: key(line, 'File of the certificate chain, PEM. A new one is taken up without a restart.'),
  key: key(line, 'File of the private key, PEM; as cert.'),
  client_ca: key(
    line.optional(),
    'File of the CAs whose client certificates are required; as cert.',
    {
      unset: 'no client certificates',
    },
  ),
  client_names: key(
    z.array(line).min(1).optional(),
    'Names of which a client certificate must hold one; needs client_ca.',
    { unset: 'any' },
  ),
});

const listen = strict({
  check: key(
    z
      .union([
        listenAddress,
        strict({
          address: key(listenAddress.default(DEFAULT_CHECK), 'host:port or unix:/path.'),
          tls: key(tls.optional(), 'Serve TLS.', { unset: 'plain text' }),
        }),
      ])
      .default(DEFAULT_CHECK),
    'Where Envoy asks, by gRPC: host:port, unix:/path, or {address, tls}.',
    { examples: ['unix:/run/postern.sock'] },
  ),
  api: key(listenAddress.default('127.0.0.1:9192'), 'The management API and OAuth.'),
  ops: key(
    listenAddress.default('0.0.0.0:9193'),
    '/health, /livez, /readyz, /metrics and /monitoring.',
  ),
});

const clientIp = z.union([
  z.literal('peer'),
  strict({
    trusted_hops: key(
      z.int().min(0).max(64).optional(),
      "Proxies before Envoy, as Envoy's xff_num_trusted_hops with use_remote_address.",
    ),
    xff_from_right: key(
      z.int().min(1).max(64).optional(),
      'Place in X-Forwarded-For from the right, for an Envoy that does not append to it.',
    ),
  }),
]);

const identityHeaders = Object.fromEntries(
  IDENTITY_FIELDS.map((field) => [field, key(headerName.optional(), `Header of the ${field}.`)]),
) as { [field in (typeof IDENTITY_FIELDS)[number]]: z.ZodOptional<typeof headerName> };

const upstream = strict({
  prefix: key(headerName.default('x-auth-'), 'What identity headers begin with.'),
  headers: key(strict(identityHeaders).default({}), 'Other names for single identity headers.', {
    examples: [{ username: 'x-user' }],
  }),
  strip_credentials: key(z.boolean().default(true), 'Remove credentials before upstream.'),
});

const reasons = Object.fromEntries(
  Object.entries(DENIALS).map(([reason, { message }]) => [
    reason,
    key(line.optional(), `Message for ${reason}.`, { unset: message }),
  ]),
) as { [reason in keyof typeof DENIALS]: z.ZodOptional<typeof line> };

const webUrl = form((text) =>
  /^https?:\/\/[\x21\x23-\x5b\x5d-\x7e]+$/.test(text) ? undefined : 'expected a URL',
);

const errors = strict({
  docs: key(webUrl.optional(), 'Page about refusals, sent as the problem type.', {
    examples: ['https://docs.example.com/errors#{reason}'],
  }),
  messages: key(strict(reasons).default({}), 'Other messages, by reason.'),
  unmatched: key(
    z.union([z.literal(403), z.literal(404)]).default(403),
    'Status where no route matches.',
  ),
  resource_metadata: key(webUrl.optional(), 'URL in the 401 challenge (RFC 9728).'),
});

const block = strict({
  ip: key(addressBlock.optional(), 'An address or CIDR block.'),
  key: key(line.optional(), 'The id of an API key.'),
  username: key(line.optional(), 'A username.'),
  workspace: key(slug.optional(), 'A workspace id.'),
  client: key(line.optional(), 'An OAuth client.'),
  until: key(timestamp.optional(), 'When the block ends.', { unset: 'never' }),
  note: key(z.string().optional(), 'A note for people.'),
});

const roleName = form((text) =>
  isGrant(text) ? undefined : 'expected a role name of printable ASCII without spaces and quotes',
);

const role = strict({
  inherits: key(oneOrMore(z.string()).optional(), 'A role, or several, whose scopes it has too.'),
  scopes: key(z.array(grant).default([]), 'Scopes and wildcards.'),
});

/** The whole policy file. */
export const PolicyFile = strict({
  product: key(
    z
      .string()
      .regex(/^[\w. -]{1,64}$/, 'expected 1 to 64 letters, digits, spaces, "_", "." and "-"')
      .default('postern'),
    'Name in /health and in the WWW-Authenticate realm.',
  ),
  listen: key(listen.prefault({}), 'Addresses to serve on.'),
  store: key(
    store.default('memory'),
    'Where keys and counters live: memory, sqlite:PATH, redis://[user:password@]host[:port][/db], rediss:// for TLS, a list of such URLs for a Redis Cluster, or {urls, …}.',
  ),
  limits: key(limits.prefault({}), 'How limits are counted.'),
  on_store_failure: key(onStoreFailure.prefault({}), 'What holds while Redis does not answer.'),
  key_cache: key(keyCache.prefault({}), 'Keys that a process remembers of Redis.'),
  client_ip: key(
    clientIp.default('peer'),
    'Who the client is: peer, {trusted_hops: N} or {xff_from_right: N}.',
  ),
  https_only: key(z.boolean().default(false), 'Refuse requests that did not come by https.'),
  case_insensitive_paths: key(z.boolean().default(false), 'Match paths without regard to case.'),
  default_plan: key(z.string().optional(), 'Plan of a caller for whom nothing names one.', {
    unset: 'none',
  }),
  limit_by: key(
    subject.default('workspace'),
    'What plan limits count against; a caller without it falls to the next in this order.',
  ),
  rate_limit_headers: key(
    z.array(z.enum(['x-ratelimit', 'ratelimit'])).default(['x-ratelimit', 'ratelimit']),
    'Families of rate-limit headers that are sent.',
  ),
  upstream: key(upstream.prefault({}), 'What the service behind Envoy is told.'),
  errors: key(errors.prefault({}), 'How refusals look.'),
  blocks: key(z.array(block).default([]), 'Callers refused before any rule is asked.', {
    examples: [[{ ip: '192.0.2.7', until: '2030-01-31T00:00:00Z', note: 'abuse' }]],
  }),
  defaults: key(
    routeDefaults.prefault({}),
    'Settings that every route starts from: those of routes[] but name and path.',
  ),
  audit: key(audit.default('all'), 'Decisions that are recorded, and where the records go.'),
  alerts: key(alerts.prefault({}), 'What is watched for, and who is told.'),
  api_keys: key(apiKeys.prefault({}), 'API keys.'),
  issuers: key(z.array(issuer).default([]), 'Whose tokens are taken, in order.'),
  scopes: key(
    z.record(scope, z.string()).optional(),
    'The catalogue: each scope and what it allows.',
    {
      examples: [{ 'agents:read': 'View agents' }],
      unset: 'none: any scope may be used',
    },
  ),
  roles: key(z.record(roleName, role).default({}), 'Roles: scopes under one name.', {
    examples: [{ admin: { inherits: 'viewer', scopes: ['agents:write'] } }],
  }),
  plans: key(z.record(line, plan).default({}), 'Plans: limits under one name.', {
    examples: [{ free: { per_minute: 60, per_day: 1000, burst: 10 } }],
  }),
  workspaces: key(z.record(slug, workspace).default({}), 'Workspaces, by id.'),
  routes: key(z.array(route), 'Required. The first that matches decides.', {
    examples: [[{ path: '/v1/**', access: ['api_key'] }]],
  }),
});

/** A policy file that holds its schema, defaults filled in. */
export type Config = z.output<typeof PolicyFile>;
export type RouteConfig = Config['routes'][number];
export type IssuerConfig = Config['issuers'][number];
export type KeyConfig = Config['api_keys']['declared'][number];
export type PlanConfig = Config['plans'][string];
