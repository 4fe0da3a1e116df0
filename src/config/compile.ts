import type { KeyHash, Prefix } from '../core/api-key.ts';
import { addressSet, compileKey, type KeyRecord, keyHashes } from '../core/key-record.ts';
import { compilePlan, overridePlan } from '../core/plan.ts';
import type { ClientIp, DeclaredKey, Plan, Policy, Route, Workspace } from '../core/policy.ts';
import { compileRoles } from '../core/role.ts';
import type { Catalogue } from '../core/scope.ts';
import { compileStrip } from '../core/upstream.ts';
import { compileAlerts } from './compile-alerts.ts';
import { compileIssuer, compilePlaces } from './compile-issuer.ts';
import { compileRoute, type RouteSurroundings } from './compile-route.ts';
import { compileBlocks, compileErrors, compileUpstream } from './compile-upstream.ts';
import {
  compileKeyRules,
  compileLeaked,
  compileWritten,
  milliseconds,
  roleDefinitions,
} from './compile-written.ts';
import { createPacer, type Pacer, type YieldTurn } from './pacer.ts';
import { routeNames, withDefaults } from './route-settings.ts';
import type { Config, KeyConfig } from './schema.ts';
import { auditOf } from './schema-audit.ts';

const HASH_CHARS = 12;

/** A checked policy file and the hash (SHA-256, hex) of everything it was read from. */
export type Checked = {
  readonly config: Config;
  readonly hash: string;
  /** More declared keys, lists of them as JSON; each is parsed when its turn comes. */
  readonly packedKeys?: readonly string[] | undefined;
};

/**
 * Compiles a policy that was checked. The event loop gets a turn about every 10 ms, so that checks go on while a
 * large policy is compiled.
 */
export async function compilePolicy(checked: Checked, yieldTurn?: YieldTurn): Promise<Policy> {
  const { config } = checked;
  const pacer = createPacer(yieldTurn);
  const catalogue = config.scopes && new Set(Object.keys(config.scopes));
  const plans = compilePlans(config);
  const issuers = config.issuers.map(compileIssuer);
  const { declaredKeys, records } = await compileDeclared(checked, catalogue, pacer);
  const routes = await compileRoutes({ config, plans, issuers }, pacer);
  const workspaces = await compileWorkspaces(config, plans, pacer);
  const places = compilePlaces(config.api_keys.read_from, issuers);
  return {
    product: config.product,
    hash: checked.hash.slice(0, HASH_CHARS),
    clientIp: compileClientIp(config.client_ip),
    caseInsensitivePaths: config.case_insensitive_paths,
    routes,
    routesBySegment: await indexRoutes(routes, pacer),
    prefixes: compilePrefixes(config.api_keys.prefixes),
    browser: config.api_keys.browser,
    declaredKeys,
    places,
    strip: compileStrip(places),
    audit: auditOf(config).events,
    issuers,
    catalogue,
    roles: compileRoles(roleDefinitions(config), catalogue),
    plans,
    defaultPlan: config.default_plan === undefined ? undefined : plans.get(config.default_plan),
    limitBy: config.limit_by,
    workspaces,
    blocks: compileBlocks(config.blocks),
    upstream: compileUpstream(config),
    errors: compileErrors(config),
    keyRules: compileKeyRules(config),
    leaked: compileLeaked(config),
    alerts: compileAlerts(config.alerts),
    written: compileWritten(config, records),
    ...compileFlags(config),
  };
}

function compileFlags(config: Config): Pick<Policy, 'rateLimitHeaders' | 'mask' | 'auditKeepMs'> {
  const { rate_limit_headers: families } = config;
  const { mask, keep } = auditOf(config);
  return {
    rateLimitHeaders: {
      legacy: families.includes('x-ratelimit'),
      ietf: families.includes('ratelimit'),
    },
    mask: { username: mask.includes('username'), address: mask.includes('address') },
    auditKeepMs: milliseconds(keep) ?? 0,
  };
}

function compilePlans(config: Config): ReadonlyMap<string, Plan> {
  const plans = Object.entries(config.plans);
  return new Map(plans.map(([name, plan]) => [name, compilePlan(name, plan)]));
}

async function compileRoutes(around: RouteSurroundings, pacer: Pacer): Promise<readonly Route[]> {
  const { routes, defaults } = around.config;
  const settled = routes.map((route) => withDefaults(route, defaults));
  const names = routeNames(settled);
  const compiled: Route[] = [];
  for (const [index, route] of settled.entries()) {
    compiled.push(compileRoute(route, names[index] ?? '', around));
    if (pacer.isDue()) await pacer.rest();
  }
  return compiled;
}

function* declaredOf({ config, packedKeys = [] }: Checked): Iterable<KeyConfig> {
  yield* config.api_keys.declared;
  for (const packed of packedKeys) yield* JSON.parse(packed) as readonly KeyConfig[];
}

async function compileDeclared(
  checked: Checked,
  catalogue: Catalogue,
  pacer: Pacer,
): Promise<{
  readonly declaredKeys: ReadonlyMap<KeyHash, DeclaredKey>;
  readonly records: ReadonlyMap<string, KeyRecord>;
}> {
  const declaredKeys = new Map<KeyHash, DeclaredKey>();
  const records = new Map<string, KeyRecord>();
  for (const record of declaredOf(checked)) {
    const key = compileKey(record, catalogue);
    records.set(record.id, record);
    for (const { hash, untilMs } of keyHashes(record)) {
      declaredKeys.set(hash, { key, until: untilMs });
    }
    if (pacer.isDue()) await pacer.rest();
  }
  return { declaredKeys, records };
}

async function compileWorkspaces(
  config: Config,
  plans: ReadonlyMap<string, Plan>,
  pacer: Pacer,
): Promise<ReadonlyMap<string, Workspace>> {
  const workspaces = new Map<string, Workspace>();
  for (const [id, written] of Object.entries(config.workspaces)) {
    const { overrides } = written;
    const overridden = new Map<string, Plan>();
    for (const [name, plan] of overrides ? plans : []) {
      if (overrides) overridden.set(name, overridePlan(plan, overrides));
      if (pacer.isDue()) await pacer.rest();
    }
    workspaces.set(id, {
      id,
      slug: written.slug,
      plan: written.plan,
      status: written.status,
      allowedIps: written.allowed_ips && addressSet(written.allowed_ips),
      overrides,
      overridden,
    });
    if (pacer.isDue()) await pacer.rest();
  }
  return workspaces;
}

/** Candidates by first path segment, each list in the order of the policy and with the routes that match any. */
async function indexRoutes(
  routes: readonly Route[],
  pacer: Pacer,
): Promise<ReadonlyMap<string, readonly Route[]>> {
  const keys = routes.map(
    (route) => new Set(route.paths.map((path) => literalStart(path.segments[0]))),
  );
  const anywhere: Route[] = [];
  const bySegment = new Map<string, Route[]>();
  for (const start of keys.flatMap((starts) => [...starts])) {
    if (start !== '') bySegment.set(start, []);
  }
  for (const [index, route] of routes.entries()) {
    const starts = keys[index] ?? new Set();
    const lists = starts.has('') ? [anywhere, ...bySegment.values()] : findAll(bySegment, starts);
    for (const list of lists) list.push(route);
    if (pacer.isDue()) await pacer.rest();
  }
  return bySegment.set('', anywhere);
}

function findAll<T>(map: ReadonlyMap<string, T>, keys: Iterable<string>): readonly T[] {
  return [...keys].map((key) => map.get(key)).filter((found) => found !== undefined);
}

function literalStart(segment: Route['paths'][number]['segments'][number] | undefined): string {
  return typeof segment === 'string' ? segment : '';
}

function compileClientIp(written: Config['client_ip']): ClientIp {
  if (written === 'peer') return { kind: 'peer' };
  if (written.trusted_hops !== undefined)
    return { kind: 'trusted_hops', hops: written.trusted_hops };
  if (written.xff_from_right !== undefined) {
    return { kind: 'xff_from_right', position: written.xff_from_right };
  }
  throw new Error('client_ip names no rule');
}

/** Prefixes, the longest first. */
function compilePrefixes(written: Config['api_keys']['prefixes']): readonly Prefix[] {
  return Object.entries(written)
    .map(([prefix, { environment, max_scopes, publishable, checksum }]) => {
      return { prefix, environment, maxScopes: max_scopes, publishable, checksum };
    })
    .sort((one, other) => other.prefix.length - one.prefix.length);
}
