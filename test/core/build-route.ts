import { addressSet, originRule, type WrittenOrigins } from '../../src/core/key-record.ts';
import { type Compiled, compileHost, compilePath } from '../../src/core/pattern.ts';
import { compileFigures } from '../../src/core/plan.ts';
import type {
  Access,
  ClaimRule,
  Cors,
  CredentialKind,
  MethodScopes,
  Plan,
  Route,
  RouteLimit,
  SubjectKind,
  WrittenFigures,
} from '../../src/core/policy.ts';
import type { Spelling } from '../../src/core/target.ts';

type CorsSpec = Partial<Omit<Cors, 'origins'>> & { readonly origins: readonly string[] | 'keys' };

type LimitSpec = WrittenFigures & {
  readonly name: string;
  readonly by: SubjectKind;
  readonly on?: 'all' | 'refused';
};

/** A route as a policy file writes it. */
export type RouteSpec = {
  readonly name?: string;
  readonly host?: string;
  readonly path?: string | readonly string[];
  readonly methods?: readonly string[];
  readonly context?: { readonly [key: string]: string };
  readonly access?: 'public' | readonly (CredentialKind | 'both')[];
  readonly issuers?: readonly string[];
  readonly environments?: readonly string[];
  readonly workspaces?: readonly string[];
  readonly scopes?: readonly string[] | { readonly [method: string]: readonly string[] };
  readonly anyScope?: readonly string[];
  readonly role?: string;
  readonly claims?: { readonly [path: string]: unknown };
  readonly ips?: readonly string[];
  readonly referers?: WrittenOrigins;
  readonly cors?: CorsSpec;
  readonly plan?: string;
  readonly limits?: readonly LimitSpec[];
  readonly cost?: number;
  readonly httpsOnly?: boolean;
  readonly audit?: Route['audit'];
  readonly stripCredentials?: boolean;
  readonly headers?: { readonly [name: string]: string };
  readonly pathAllow?: readonly Spelling[];
  readonly challenge?: Route['challenge'];
};

type Context = {
  readonly plans: ReadonlyMap<string, Plan>;
  readonly ignoreCase?: boolean | undefined;
};

const DEFAULTS = {
  claims: [],
  limits: [],
  cost: 1,
  httpsOnly: false,
  audit: 'all',
  isSensitive: false,
  stripCredentials: true,
  challenge: 'Bearer',
} as const;

export function route(spec: RouteSpec, { plans, ignoreCase }: Context): Route {
  const paths = [spec.path ?? '/**'].flat();
  return {
    ...DEFAULTS,
    ...spec,
    name: spec.name ?? paths.join(' '),
    host: map(spec.host, (host) => patternOf(compileHost(host))),
    paths: paths.map((path) => patternOf(compilePath(path, ignoreCase))),
    methods: map(spec.methods, set),
    context: Object.entries(spec.context ?? {}),
    access: access(spec.access ?? ['api_key']),
    issuers: map(spec.issuers, set),
    environments: map(spec.environments, set),
    workspaces: map(spec.workspaces, set),
    scopes: map(spec.scopes, methodScopes),
    claims: Object.entries(spec.claims ?? {}).map(claimRule),
    ips: map(spec.ips, addressSet),
    referers: map(spec.referers, originRule),
    cors: map(spec.cors, cors),
    plan: map(spec.plan, (name) => (name === 'none' ? name : plans.get(name))),
    limits: (spec.limits ?? []).map(routeLimit),
    headers: Object.entries(spec.headers ?? {}),
    pathAllow: new Set(spec.pathAllow),
  };
}

function map<T, U>(value: T | undefined, to: (value: T) => U): U | undefined {
  return value === undefined ? undefined : to(value);
}

function set<T>(list: readonly T[]): ReadonlySet<T> {
  return new Set(list);
}

function claimRule([path, value]: readonly [string, unknown]): ClaimRule {
  return { source: { path: path.split('.') }, accepted: [value].flat() };
}

function routeLimit({ name, by, on = 'all', ...figures }: LimitSpec): RouteLimit {
  return { name, by, on, figures: compileFigures(figures, name) };
}

export function cors({ origins, ...more }: CorsSpec): Cors {
  return {
    origins: origins === 'keys' ? origins : originRule(origins).allow,
    methods: undefined,
    headers: '',
    expose: '',
    credentials: false,
    ...more,
  };
}

/** Candidates by first segment, as the type of `Policy.routesBySegment` tells. */
export function indexRoutes(routes: readonly Route[]): ReadonlyMap<string, readonly Route[]> {
  const firstsOf = (one: Route) =>
    one.paths.map(({ segments: [first] }) => (typeof first === 'string' ? first : ''));
  const firsts = new Set(['', ...routes.flatMap(firstsOf)]);
  return new Map(
    [...firsts].map((first) => [
      first,
      routes.filter((one) => firstsOf(one).some((other) => other === first || other === '')),
    ]),
  );
}

function access(spec: NonNullable<RouteSpec['access']>): Access {
  if (spec === 'public') return { kind: 'public' };
  return {
    kind: 'credentials',
    apiKey: spec.includes('api_key'),
    jwt: spec.includes('jwt'),
    anonymous: spec.includes('anonymous'),
    both: spec.includes('both'),
  };
}

function methodScopes(spec: NonNullable<RouteSpec['scopes']>): MethodScopes {
  if (Array.isArray(spec)) return { byMethod: new Map(), other: spec as readonly string[] };
  const { '*': other = [], ...named } = spec as { readonly [method: string]: readonly string[] };
  return { byMethod: new Map(Object.entries(named)), other };
}

function patternOf<T>(compiled: Compiled<T>): T {
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled.pattern;
}
