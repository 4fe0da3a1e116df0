import * as z from 'zod';
import { compileHost, compilePath } from '../core/pattern.ts';
import { CREDENTIAL_KINDS } from '../core/policy.ts';
import { SPELLINGS } from '../core/target.ts';
import { routeLimit } from '../schema/plan.ts';
import {
  addressBlock,
  duration,
  form,
  headerName,
  headerValue,
  key,
  line,
  method,
  oneOrMore,
  origin,
  origins,
  propertyPath,
  scope,
  slug,
  strict,
} from '../schema/text.ts';

export const auditEvents = z.enum(['all', 'refusals', 'none']);

const pathPattern = form((text) => {
  const compiled = compilePath(text);
  return 'problem' in compiled ? compiled.problem : undefined;
});

const hostPattern = form((text) => {
  const compiled = compileHost(text);
  return 'problem' in compiled ? compiled.problem : undefined;
});

const both = z
  .array(z.enum(['api_key', 'jwt']))
  .refine((kinds) => kinds.length === 2 && kinds[0] !== kinds[1], 'expected [api_key, jwt]');
const access = z.union([
  z.literal('public'),
  z.array(z.union([z.enum(CREDENTIAL_KINDS), both])).min(1),
]);

const scalar = z.union([z.string(), z.number(), z.boolean()]);

const cors = strict({
  origins: key(
    z.union([z.literal('keys'), z.array(origin)]),
    'Allowed origins in the forms of referers, or keys: those of the API key.',
    { examples: [['https://app.example.com']] },
  ),
  methods: key(z.array(method).optional(), 'Methods a page may use.', {
    unset: "the route's, else the one asked for",
  }),
  headers: key(z.array(headerName).default([]), 'Request headers a page may set.'),
  expose: key(z.array(headerName).default([]), 'Response headers a page may read.'),
  credentials: key(z.boolean().default(false), 'Whether a page may send cookies.'),
  max_age: key(
    z.union([z.int().min(0), duration]).optional(),
    'How long a browser may keep the answer: seconds, or a duration.',
    { examples: [600] },
  ),
});

const methodScopes = z.record(z.union([z.literal('*'), method]), z.array(scope));

const settings = {
  host: key(
    hostPattern.optional(),
    'Exact host, or *.example.com for one or more labels before it. {workspace} is one label.',
    { unset: 'any' },
  ),
  methods: key(z.array(method).min(1).optional(), 'Methods; GET covers HEAD.', {
    examples: [['GET', 'POST']],
    unset: 'any but CONNECT and TRACE',
  }),
  context: key(
    z.record(z.string(), z.string()).optional(),
    'Values of context_extensions that Envoy must send for this route.',
  ),
  access: key(
    access.optional(),
    'Required. public, or a list of api_key, jwt and anonymous, any of which admits; [[api_key, jwt]] wants both.',
    { examples: [['api_key', 'jwt']], unset: 'none: must be set' },
  ),
  issuers: key(z.array(z.string()).min(1).optional(), 'Issuers whose tokens are taken, by name.', {
    unset: 'any',
  }),
  environments: key(
    z.array(slug).min(1).optional(),
    'Environments of the credentials that are taken.',
    { unset: 'any' },
  ),
  workspaces: key(z.array(slug).min(1).optional(), 'Workspaces, by id or slug.', { unset: 'any' }),
  scopes: key(
    z.union([z.array(scope), methodScopes]).optional(),
    'Scopes that are all needed; or a map from method to scopes, with "*" for the other methods.',
    { examples: [{ GET: ['agents:read'], '*': ['agents:write'] }] },
  ),
  any_scope: key(z.array(scope).min(1).optional(), 'Scopes of which one is needed.'),
  role: key(z.string().optional(), 'This role, or one that inherits from it.'),
  claims: key(
    z.record(propertyPath, z.union([scalar, z.array(scalar).min(1)])).optional(),
    'Claims a token must have: property path to value or values.',
    { examples: [{ email_verified: true, department: ['a', 'b'] }] },
  ),
  ips: key(
    z.array(addressBlock).min(1).optional(),
    'Client addresses and CIDR blocks, v4 and v6.',
    {
      examples: [['192.0.2.0/24', '2001:db8::/48']],
      unset: 'any',
    },
  ),
  referers: key(
    origins().optional(),
    'Pages a request may come from: app.example.com, *.example.com, https://h:8443, https://*.h.',
    { examples: [{ allow: ['app.example.com'], missing: 'deny' }], unset: 'any' },
  ),
  cors: key(cors.optional(), 'Browsers of other origins: preflights are answered here.'),
  plan: key(z.string().optional(), 'Plan of every request here; none for no plan limits.', {
    unset: "the principal's",
  }),
  limits: key(z.array(routeLimit).optional(), "More limits, this route's own.", {
    examples: [[{ name: 'per-address', by: 'ip', per_minute: 5 }]],
    unset: '[]',
  }),
  cost: key(z.int().min(1).optional(), 'Units one request takes from each window.', { unset: '1' }),
  https_only: key(z.boolean().optional(), 'Refuse requests that did not come by https.', {
    unset: 'https_only of the policy',
  }),
  audit: key(auditEvents.optional(), 'Decisions that are written to the audit log.', {
    unset: 'audit of the policy',
  }),
  sensitive: key(z.boolean().optional(), 'Every use raises the alert sensitive_route.', {
    unset: 'false',
  }),
  strip_credentials: key(z.boolean().optional(), 'Remove credentials before upstream.', {
    unset: 'upstream.strip_credentials',
  }),
  headers: key(z.record(headerName, headerValue).optional(), 'Constant headers to upstream.', {
    unset: '{}',
  }),
  path_allow: key(
    z.array(z.enum(SPELLINGS)).optional(),
    'Spellings of a path that are refused as ambiguous elsewhere.',
    { unset: '[]' },
  ),
};

export const routeDefaults = strict(settings);

export const route = strict({
  name: key(line.optional(), 'Label in metrics, audit and logs; unique.', {
    unset: 'from the path',
  }),
  path: key(
    oneOrMore(pathPattern),
    "Required. One or several patterns: /v1/x exact, * one segment, /** the path and all below, {workspace} the caller's own.",
    { examples: ['/v1/**'] },
  ),
  ...settings,
});
