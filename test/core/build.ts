import { createHash } from 'node:crypto';
import { type Address, parseAddress } from '../../src/core/address.ts';
import { type KeyHash, mintKey, type Prefix } from '../../src/core/api-key.ts';
import { check } from '../../src/core/check.ts';
import type { Place, ReadPlace } from '../../src/core/credential.ts';
import { type Decision, deny, type Reason } from '../../src/core/decision.ts';
import { createFailureBook, type FailureBook } from '../../src/core/failures-book.ts';
import {
  addressSet,
  compileKey,
  type KeyRecord,
  parseTimestamp,
} from '../../src/core/key-record.ts';
import { compilePlan, overridePlan, type WrittenPlan } from '../../src/core/plan.ts';
import {
  type DeclaredKey,
  IDENTITY_FIELDS,
  type IdentityField,
  type Plan,
  type Policy,
  type Workspace,
  type WrittenFigures,
} from '../../src/core/policy.ts';
import type { Ports } from '../../src/core/ports.ts';
import type { Request } from '../../src/core/request.ts';
import { compileRoles } from '../../src/core/role.ts';
import { splitTarget } from '../../src/core/target.ts';
import type { ClaimSource, Issuer } from '../../src/core/token.ts';
import { canonicalName, compileStrip } from '../../src/core/upstream.ts';
import { createRecentMap } from '../../src/store/recent-map.ts';
import { openMemoryStore } from '../../src/store/sql/memory.ts';
import { indexRoutes, type RouteSpec, route } from './build-route.ts';

/** The moment of every test: Saturday, in the middle of each window. */
export const NOW = Date.UTC(2026, 7, 15, 12, 30, 30, 250);

type KeySpec = Partial<Omit<KeyRecord, 'hash'>> & {
  readonly raw: string;
  readonly until?: string;
};

type IssuerSpec = Partial<Omit<Issuer, 'claims' | 'headers'>> & {
  readonly name: string;
  readonly claims?: Partial<Issuer['claims']>;
  readonly headers?: { readonly [header: string]: string };
};

type WorkspaceSpec = {
  readonly slug?: string;
  readonly plan?: string;
  readonly status?: Workspace['status'];
  readonly overrides?: WrittenFigures;
  readonly allowed_ips?: readonly string[];
};

type BlockSpec = { readonly [trait: string]: string | undefined };

export type PolicySpec = Partial<Pick<Policy, 'product' | 'browser' | 'limitBy' | 'mask'>> & {
  readonly routes: readonly RouteSpec[];
  readonly readFrom?: readonly Place[];
  readonly prefixes?: { readonly [prefix: string]: Partial<Prefix> };
  readonly keys?: readonly KeySpec[];
  readonly issuers?: readonly IssuerSpec[];
  readonly scopes?: readonly string[];
  readonly roles?: { readonly [name: string]: { inherits?: string[]; scopes?: string[] } };
  readonly plans?: { readonly [name: string]: WrittenPlan };
  readonly defaultPlan?: string;
  readonly workspaces?: { readonly [id: string]: WorkspaceSpec };
  readonly blocks?: readonly BlockSpec[];
  readonly errors?: Partial<Policy['errors']>;
  readonly ignoreCase?: boolean;
  readonly audit?: Policy['audit'];
  readonly prefix?: string;
  readonly names?: { readonly [field in IdentityField]?: string };
  readonly rateLimitHeaders?: Policy['rateLimitHeaders'];
  readonly alerts?: Partial<Policy['alerts']>;
};

/** A key in form under a prefix, the same for the same seed. */
export function rawKey(prefix = 'pst_', seed = 1): string {
  const bytes = Uint8Array.from(
    { length: 64 },
    (_, at) => (at * 37 + seed * 101 + at * seed) % 248,
  );
  return mintKey(prefix, bytes);
}

/** SHA-256 made without the code under test. */
export function sha256(text: string): KeyHash {
  return createHash('sha256').update(text).digest('hex') as KeyHash;
}

/** What a policy has where the test does not say. */
const DEFAULTS = {
  product: 'postern',
  hash: 'abc123',
  clientIp: { kind: 'peer' },
  browser: 'flag',
  audit: 'all',
  limitBy: 'workspace',
  rateLimitHeaders: { legacy: true, ietf: true },
  mask: { username: false, address: false },
  keyRules: { warnMs: 0 },
  auditKeepMs: 0,
  alerts: { failures: [], coolDownMs: 0, muted: new Set<never>(), webhooks: [] },
} as const;

const NOTHING_WRITTEN: Policy['written'] = {
  keys: new Map(),
  workspaces: new Map(),
  blocks: [],
  scopes: new Map(),
  roles: new Map(),
};
const READ_FROM: readonly Place[] = [{ kind: 'bearer' }, { kind: 'header', name: 'x-api-key' }];

/** Compiles a policy without the configuration reader. */
export function policy(spec: PolicySpec): Policy {
  const catalogue = spec.scopes && new Set(spec.scopes);
  const plans = new Map(
    Object.entries(spec.plans ?? {}).map(([name, plan]) => [name, compilePlan(name, plan)]),
  );
  const issuers = (spec.issuers ?? []).map(issuer);
  const places = readPlaces(spec.readFrom ?? READ_FROM, issuers);
  const routes = spec.routes.map((one) => route(one, { plans, ignoreCase: spec.ignoreCase }));
  return {
    ...DEFAULTS,
    written: NOTHING_WRITTEN,
    ...spec,
    alerts: { ...DEFAULTS.alerts, ...spec.alerts },
    caseInsensitivePaths: spec.ignoreCase === true,
    routes,
    routesBySegment: indexRoutes(routes),
    prefixes: prefixes(spec.prefixes ?? { pst_: {} }),
    declaredKeys: declaredKeys(spec.keys ?? []),
    places,
    strip: compileStrip(places),
    issuers,
    catalogue,
    roles: roles(spec, catalogue),
    plans,
    defaultPlan: plans.get(spec.defaultPlan ?? ''),
    workspaces: workspaces(spec.workspaces ?? {}, plans),
    blocks: blocks(spec.blocks ?? []),
    upstream: upstream(spec, routes, issuers),
    errors: { messages: new Map(), unmatched: 403, ...spec.errors },
  };
}

function roles(spec: PolicySpec, catalogue: Policy['catalogue']): Policy['roles'] {
  const definitions = Object.entries(spec.roles ?? {}).map(
    ([name, { inherits = [], scopes = [] }]) => [name, { inherits, scopes }] as const,
  );
  return compileRoles(new Map(definitions), catalogue);
}

export function prefixes(spec: { readonly [prefix: string]: Partial<Prefix> }): readonly Prefix[] {
  return Object.entries(spec)
    .map(([prefix, more]) => ({ prefix, publishable: false, checksum: true, ...more }))
    .sort((one, other) => other.prefix.length - one.prefix.length);
}

function declaredKeys(specs: readonly KeySpec[]): ReadonlyMap<KeyHash, DeclaredKey> {
  return new Map(
    specs.map(({ raw, until, ...record }, at) => {
      const hash = sha256(raw);
      const key = compileKey({ id: `key-${at + 1}`, ...record, hash: `sha256:${hash}` });
      return [hash, { key, until: until === undefined ? undefined : parseTimestamp(until) }];
    }),
  );
}

export function issuer({ claims, headers, ...more }: IssuerSpec): Issuer {
  return {
    keys: { kind: 'secret', secrets: [new Uint8Array(32)] },
    algorithms: new Set(['HS256']),
    requireExp: true,
    clockToleranceSeconds: 5,
    readFrom: [{ kind: 'bearer' }],
    claims: {
      username: at('sub'),
      scopes: at('scope'),
      client: [at('azp'), at('client_id')],
      ...claims,
    },
    headers: Object.entries(headers ?? {}).map(([name, path]) => [name, at(path)] as const),
    ...more,
  };
}

/** A property path as a claim source. */
export function at(path: string): ClaimSource {
  return { path: path.split('.') };
}

function readPlaces(own: readonly Place[], issuers: readonly Issuer[]): readonly ReadPlace[] {
  const found = new Map<string, { place: Place; keys: boolean; issuers: Issuer[] }>();
  const entryAt = (place: Place) => {
    const id = JSON.stringify(place);
    const entry = found.get(id) ?? { place, keys: false, issuers: [] };
    found.set(id, entry);
    return entry;
  };
  for (const place of own) entryAt(place).keys = true;
  for (const one of issuers) for (const place of one.readFrom) entryAt(place).issuers.push(one);
  return [...found.values()].map((entry) => ({
    ...entry.place,
    keys: entry.keys,
    issuers: entry.issuers,
  }));
}

function workspaces(
  specs: { readonly [id: string]: WorkspaceSpec },
  plans: ReadonlyMap<string, Plan>,
): ReadonlyMap<string, Workspace> {
  return new Map(Object.entries(specs).map(([id, spec]) => [id, workspace(id, spec, plans)]));
}

export function workspace(
  id: string,
  { slug, plan, status, overrides, allowed_ips }: WorkspaceSpec,
  plans: ReadonlyMap<string, Plan> = new Map(),
): Workspace {
  const overridden = new Map<string, Plan>();
  if (overrides)
    for (const [name, one] of plans) overridden.set(name, overridePlan(one, overrides));
  const allowedIps = allowed_ips && addressSet(allowed_ips);
  return { id, slug, plan, status: status ?? 'active', overrides, allowedIps, overridden };
}

function blocks(specs: readonly BlockSpec[]): Policy['blocks'] {
  const addresses: { set: ReturnType<typeof addressSet>; untilMs?: number | undefined }[] = [];
  const principals = new Map<string, number | undefined>();
  for (const { until, ...traits } of specs) {
    const untilMs = until === undefined ? undefined : parseTimestamp(until);
    for (const [trait, value = ''] of Object.entries(traits)) {
      if (trait === 'ip') addresses.push({ set: addressSet([value]), untilMs });
      else principals.set(`${trait}\n${value}`, untilMs);
    }
  }
  return { addresses, principals };
}

function upstream(
  spec: PolicySpec,
  routes: Policy['routes'],
  issuers: readonly Issuer[],
): Policy['upstream'] {
  const prefix = spec.prefix ?? 'x-auth-';
  const named = IDENTITY_FIELDS.map((field) => {
    const name = spec.names?.[field] ?? prefix + field.replaceAll('_', '-');
    return [field, name] as const;
  });
  const owned = new Set([
    ...named.map(([, name]) => canonicalName(name)),
    ...issuers.flatMap((one) => one.headers.map(([name]) => canonicalName(name))),
    ...routes.flatMap((one) => one.headers.map(([name]) => canonicalName(name))),
  ]);
  const names = Object.fromEntries(named) as Policy['upstream']['names'];
  return { prefix: canonicalName(prefix), names, owned };
}

export type RequestSpec = {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly scheme?: string;
  /** One value, or one for each line. */
  readonly headers?: { readonly [name: string]: string | readonly string[] };
  readonly address?: string | undefined;
  readonly context?: { readonly [key: string]: string };
  readonly fault?: Request['fault'];
  /** Shorthands for the credential. */
  readonly bearer?: string;
};

/** A request as the reader of the wire would make it. */
export function request(spec: RequestSpec = {}): Request {
  const target = splitTarget(spec.path ?? '/');
  const headers = new Map(
    Object.entries(spec.headers ?? {}).map(([name, value]) => [
      name,
      typeof value === 'string' ? [value] : value,
    ]),
  );
  if (spec.bearer !== undefined) headers.set('authorization', [`Bearer ${spec.bearer}`]);
  return {
    id: 'req-1',
    method: spec.method ?? 'GET',
    scheme: spec.scheme ?? 'https',
    host: spec.host ?? 'api.example.com',
    target,
    headers,
    address: 'address' in spec ? addressOf(spec.address) : addressOf('203.0.113.9'),
    isAddressUntrusted: false,
    context: new Map(Object.entries(spec.context ?? {})),
    fault: spec.fault ?? (target.ambiguous ? 'ambiguous_path' : undefined),
  };
}

function addressOf(text: string | undefined): Address | undefined {
  return text === undefined ? undefined : parseAddress(text);
}

/** A text in the form of a token, which the fake of `ports()` takes for one of the named issuer. */
export function token(
  issuerName: string,
  claims: { readonly [name: string]: unknown } = {},
): string {
  const payload = JSON.stringify({ iss: issuerName, sub: 'ada', ...claims });
  return `e30.${Buffer.from(payload).toString('base64url')}.c2ln`;
}

/** In-memory fakes; a token with a claim `refuse` is refused for that reason. */
export function ports(more: Partial<Ports> = {}): Ports {
  const store = openMemoryStore({ maxSubjects: 10_000 });
  return {
    findKey: store.findKey,
    findWorkspace: store.findWorkspace,
    findOwner: () => undefined,
    findRoles: () => undefined,
    verifyToken: (text, issuers) => {
      const json = Buffer.from(text.split('.')[1] ?? '', 'base64url').toString();
      if (!json.startsWith('{')) return deny('identify', 'token_invalid');
      const claims = JSON.parse(json) as { iss: string; refuse?: Reason };
      if (claims.refuse) return deny('identify', claims.refuse);
      const found = issuers.find((one) => one.name === claims.iss);
      return found ? { kind: 'token', issuer: found, claims } : deny('identify', 'token_issuer');
    },
    takeLimits: store.takeLimits,
    ...more,
  };
}

/** A book of failures as the shell makes one. */
export function failureBook(maxSubjects = 100): FailureBook {
  return createFailureBook(() => createRecentMap(maxSubjects));
}

/** Decides one request at the fixed moment. */
export async function decide(
  judged: Policy,
  asked: RequestSpec,
  more: Partial<Ports> = {},
  nowMs = NOW,
): Promise<Decision> {
  return check(ports(more), judged, request(asked), nowMs);
}

/** The reason of a refusal, else what the decision is. */
export function outcome(decision: Decision): Reason | 'allow' | 'reply' {
  return decision.kind === 'deny' ? decision.reason : decision.kind;
}

/** What `check` says to one request. */
export async function outcomeOf(
  judged: Policy,
  asked: RequestSpec,
  more: Partial<Ports> = {},
): Promise<Reason | 'allow' | 'reply'> {
  return outcome(await decide(judged, asked, more));
}
