import { addressSet, originRule } from '../core/key-record.ts';
import { type Compiled, compileHost, compilePath } from '../core/pattern.ts';
import { compileFigures } from '../core/plan.ts';
import type { Access, Cors, MethodScopes, Plan, Route } from '../core/policy.ts';
import type { Issuer } from '../core/token.ts';
import { durationSeconds } from '../schema/duration.ts';
import { listOf } from './check-issuers.ts';
import { claimSource } from './compile-issuer.ts';
import { pathsOf } from './route-settings.ts';
import type { Config, RouteConfig } from './schema.ts';
import { auditOf } from './schema-audit.ts';

/** What a route is compiled with beside its own settings. */
export type RouteSurroundings = {
  readonly config: Config;
  readonly plans: ReadonlyMap<string, Plan>;
  readonly issuers: readonly Issuer[];
};

/** Compiles a route that has its defaults; throws where it was not checked before. */
export function compileRoute(written: RouteConfig, name: string, around: RouteSurroundings): Route {
  const { config, plans } = around;
  const setOf = (values: readonly string[] | undefined) => values && new Set(values);
  return {
    name,
    host: written.host === undefined ? undefined : patternOf(compileHost(written.host)),
    paths: pathsOf(written).map((text) =>
      patternOf(compilePath(text, config.case_insensitive_paths)),
    ),
    methods: setOf(written.methods),
    context: Object.entries(written.context ?? {}),
    access: compileAccess(written.access),
    issuers: setOf(written.issuers),
    environments: setOf(written.environments),
    workspaces: setOf(written.workspaces),
    scopes: written.scopes && compileScopes(written.scopes),
    anyScope: written.any_scope,
    role: written.role,
    claims: Object.entries(written.claims ?? {}).map(([path, accepted]) => ({
      source: claimSource(path),
      accepted: listOf(accepted),
    })),
    ips: written.ips && addressSet(written.ips),
    referers: written.referers && originRule(written.referers),
    cors: written.cors && compileCors(written.cors, written.methods),
    plan: planOf(written.plan, plans),
    limits: compileLimits(written, config),
    cost: written.cost ?? 1,
    httpsOnly: written.https_only ?? config.https_only,
    audit: written.audit ?? auditOf(config).events,
    isSensitive: written.sensitive ?? false,
    stripCredentials: written.strip_credentials ?? config.upstream.strip_credentials,
    headers: Object.entries(written.headers ?? {}).map(([header, value]) => [
      header.toLowerCase(),
      value,
    ]),
    pathAllow: new Set(written.path_allow),
    challenge: readsBearer(written, around) ? 'Bearer' : 'ApiKey',
  };
}

function compileAccess(written: RouteConfig['access']): Access {
  if (written === undefined) throw new Error('a route has no access');
  if (written === 'public') return { kind: 'public' };
  return {
    kind: 'credentials',
    apiKey: written.includes('api_key'),
    jwt: written.includes('jwt'),
    anonymous: written.includes('anonymous'),
    both: written.some((one) => Array.isArray(one)),
  };
}

/** GET covers HEAD, so HEAD demands what GET does unless it is written itself. */
function compileScopes(written: NonNullable<RouteConfig['scopes']>): MethodScopes {
  if (Array.isArray(written)) return { byMethod: new Map(), other: written };
  const byMethod = new Map(Object.entries(written).filter(([method]) => method !== '*'));
  const get = byMethod.get('GET');
  if (get && !byMethod.has('HEAD')) byMethod.set('HEAD', get);
  return { byMethod, other: written['*'] ?? [] };
}

function compileCors(
  written: NonNullable<RouteConfig['cors']>,
  methods: RouteConfig['methods'],
): Cors {
  const { max_age } = written;
  return {
    origins: written.origins === 'keys' ? 'keys' : originRule(written.origins).allow,
    methods: (written.methods ?? methods)?.join(', '),
    headers: written.headers.join(', '),
    expose: written.expose.join(', '),
    credentials: written.credentials,
    maxAgeSeconds: typeof max_age === 'string' ? durationSeconds(max_age) : max_age,
  };
}

function planOf(name: string | undefined, plans: ReadonlyMap<string, Plan>): Route['plan'] {
  if (name === undefined || name === 'none') return name;
  const plan = plans.get(name);
  if (!plan) throw new Error(`no plan is called ${name}`);
  return plan;
}

function compileLimits(written: RouteConfig, config: Config): Route['limits'] {
  return (written.limits ?? []).map((limit, place) => {
    const name = limit.name ?? `limit-${place + 1}`;
    const by = limit.by ?? (limit.on === 'refused' ? 'ip' : config.limit_by);
    return { name, by, on: limit.on, figures: compileFigures(limit, name) };
  });
}

/** Whether some credential that the route takes may stand in `Authorization: Bearer`. */
function readsBearer(written: RouteConfig, { config, issuers }: RouteSurroundings): boolean {
  const kinds = new Set(Array.isArray(written.access) ? written.access.flat() : []);
  const takesAny = !kinds.has('api_key') && !kinds.has('jwt');
  if ((takesAny || kinds.has('api_key')) && config.api_keys.read_from.includes('bearer'))
    return true;
  if (!takesAny && !kinds.has('jwt')) return false;
  return issuers.some(
    (issuer) =>
      (written.issuers?.includes(issuer.name) ?? true) &&
      issuer.readFrom.some((place) => place.kind === 'bearer'),
  );
}

function patternOf<T>(compiled: Compiled<T>): T {
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled.pattern;
}
