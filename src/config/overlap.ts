import { type Compiled, compileHost, compilePath } from '../core/pattern.ts';
import type { HostPattern, PathPattern, Segment } from '../core/policy.ts';
import { pathsOf } from './route-settings.ts';
import type { RouteConfig } from './schema.ts';

/** What a route takes, for comparing routes. */
export type Reach = {
  readonly index: number;
  readonly host: HostPattern | undefined;
  readonly paths: readonly PathPattern[];
  /** Undefined: any but CONNECT and TRACE. HEAD stands beside GET. */
  readonly methods: ReadonlySet<string> | undefined;
  readonly context: readonly (readonly [string, string])[];
};

/** Compiles what a route takes. */
export function reachOf(route: RouteConfig, index: number, ignoreCase: boolean): Reach {
  const methods = route.methods && new Set(route.methods);
  if (methods?.has('GET')) methods.add('HEAD');
  return {
    index,
    host: route.host === undefined ? undefined : patternOf(compileHost(route.host)),
    paths: pathsOf(route).flatMap((text) => patternOf(compilePath(text, ignoreCase)) ?? []),
    methods,
    context: Object.entries(route.context ?? {}),
  };
}

/** Whether every request that a route takes by one of its paths and one method goes to an earlier route. */
export function isShadowed(route: Reach, earlier: readonly Reach[]): boolean {
  const wider = earlier.filter(
    (one) => coversHost(one.host, route.host) && coversContext(one, route),
  );
  if (wider.length === 0) return false;
  const methods = route.methods ? [...route.methods] : [undefined];
  return route.paths.every((path) =>
    methods.every((method) =>
      wider.some(
        (one) => takes(one, method) && one.paths.some((pattern) => coversPath(pattern, path)),
      ),
    ),
  );
}

/** Whether a route takes everything under some path of another, by host, path and context. */
export function surrounds(outer: Reach, inner: Reach): boolean {
  if (!coversHost(outer.host, inner.host) || !coversContext(outer, inner)) return false;
  return inner.paths.some((path) => outer.paths.some((pattern) => coversPath(pattern, path)));
}

/** Whether a route takes a method that another leaves out. */
export function takesMore(one: Reach, other: Reach): boolean {
  if (!other.methods) return false;
  if (!one.methods) return true;
  return [...one.methods].some((method) => other.methods?.has(method) !== true);
}

/** The buckets that paths fall into by their first segment; `undefined` stands for any. */
export function firstSegments(reach: Reach): readonly (string | undefined)[] {
  return reach.paths.map(({ segments }) => {
    const first = segments[0];
    return typeof first === 'string' ? first : undefined;
  });
}

function takes(one: Reach, method: string | undefined): boolean {
  if (method === undefined) return one.methods === undefined;
  if (one.methods) return one.methods.has(method);
  return method !== 'CONNECT' && method !== 'TRACE';
}

function coversContext(wide: Reach, narrow: Reach): boolean {
  return wide.context.every(([key, value]) =>
    narrow.context.some(([other, own]) => other === key && own === value),
  );
}

function coversPath(wide: PathPattern, narrow: PathPattern): boolean {
  if (narrow.below && !wide.below) return false;
  const wanted = wide.segments.length;
  if (wide.below ? narrow.segments.length < wanted : narrow.segments.length !== wanted)
    return false;
  return wide.segments.every((segment, at) => coversSegment(segment, narrow.segments[at]));
}

function coversHost(wide: HostPattern | undefined, narrow: HostPattern | undefined): boolean {
  if (!wide) return true;
  if (!narrow || wide.port !== narrow.port) return false;
  const skipped = narrow.labels.length - wide.labels.length;
  if (!wide.subdomains && (narrow.subdomains || skipped !== 0)) return false;
  if (wide.subdomains && skipped < (narrow.subdomains ? 0 : 1)) return false;
  return wide.labels.every((label, at) => coversSegment(label, narrow.labels[at + skipped]));
}

/** A wild segment takes what stands in its place, a `{workspace}` too: the value is judged after the match. */
function coversSegment(wide: Segment, narrow: Segment | undefined): boolean {
  return typeof wide === 'string' ? wide === narrow : narrow !== undefined;
}

function patternOf<T>(compiled: Compiled<T>): T | undefined {
  return 'pattern' in compiled ? compiled.pattern : undefined;
}
