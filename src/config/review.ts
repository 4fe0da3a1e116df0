import type { Catalogue } from '../core/scope.ts';
import { suggest } from './nearest.ts';
import { isPlainMap, type PlainMap } from './plain.ts';
import { type Finding, type Path, writePath } from './problem.ts';
import { issuerName, routeNames, withDefaults } from './route-settings.ts';
import type { Config, RouteConfig } from './schema.ts';
import type { Structure } from './structure.ts';

/** Names that a policy defines, those of broken entries included; undefined where the whole list is broken. */
export type Names = {
  readonly [kind in 'plans' | 'roles' | 'issuers' | 'routes' | 'scopes']:
    | ReadonlySet<string>
    | undefined;
};

/** A policy under review: what the checks read, and where they put what they find. */
export type Review = {
  readonly config: Config;
  readonly names: Names;
  readonly catalogue: Catalogue;
  /** The routes with their defaults. */
  readonly routes: readonly RouteConfig[];
  readonly routeNames: readonly string[];
  readonly nowMs: number;
  /** The policy as written, broken parts included. */
  readonly whole: PlainMap;
  /** Whether a path was written, even where it was cut or misspelt. */
  readonly wrote: (path: Path) => boolean;
  readonly wroteSource: Structure['wroteSource'];
  readonly sourcePath: Structure['sourcePath'];
  /** Reports a problem at a path of the whole policy; `problem` takes a path of `config`. */
  readonly problemAtSource: (path: Path, message: string) => void;
  readonly problem: (path: Path, message: string, at?: Finding['at']) => void;
  readonly warn: (path: Path, message: string, at?: Finding['at']) => void;
};

/** Opens a review; findings are put into `problems` and `warnings` with paths of the policy as written. */
export function openReview(
  whole: PlainMap,
  structure: Structure & { readonly config: Config },
  nowMs: number,
  found: { readonly problems: Finding[]; readonly warnings: Finding[] },
): Review {
  const { config, sourcePath, wroteSource } = structure;
  const routes = config.routes.map((route) => withDefaults(route, config.defaults));
  const note =
    (into: Finding[]): Review['problem'] =>
    (path, message, at = 'value') => {
      into.push({ path: sourcePath(path), at, message });
    };
  const names = readNames(whole);
  const own = routeNames(routes);
  return {
    config,
    names: { ...names, routes: names.routes && new Set([...names.routes, ...own]) },
    catalogue: config.scopes && new Set(names.scopes ?? []),
    routes,
    routeNames: own,
    nowMs,
    whole,
    wrote: (path) => wroteSource(sourcePath(path)),
    wroteSource,
    sourcePath,
    problemAtSource: (path, message) => void found.problems.push({ path, at: 'value', message }),
    problem: note(found.problems),
    warn: note(found.warnings),
  };
}

/** Where a route's setting is written: in the route, or in the defaults. */
export function settingPath(review: Review, index: number, key: keyof RouteConfig): Path {
  const route = review.config.routes[index];
  return route && Object.hasOwn(route, key) ? ['routes', index, key] : ['defaults', key];
}

/** Writes a path of the pruned policy as the policy itself has it, for messages. */
export function writeSource(review: Review, path: Path): string {
  return writePath(review.sourcePath(path));
}

/** Reports a name that nothing defines. */
export function checkName(review: Review, kind: keyof Names, name: string, path: Path): void {
  const known = review.names[kind];
  if (!known || known.has(name)) return;
  review.problem(
    path,
    `unknown ${kind.slice(0, -1)} ${JSON.stringify(name)}${suggest(name, known)}`,
  );
}

function readNames(whole: PlainMap): Names {
  const issuers = whole['issuers'] ?? [];
  const routes = whole['routes'] ?? [];
  return {
    plans: keysOf(whole['plans']),
    roles: keysOf(whole['roles']),
    scopes: keysOf(whole['scopes']),
    issuers: Array.isArray(issuers)
      ? new Set(issuers.map((one, index) => (isPlainMap(one) ? issuerName(one, index) : '')))
      : undefined,
    routes: Array.isArray(routes) ? new Set(routes.flatMap(writtenName)) : undefined,
  };
}

function keysOf(map: unknown): ReadonlySet<string> | undefined {
  if (map === undefined) return new Set();
  return isPlainMap(map) ? new Set(Object.keys(map)) : undefined;
}

function writtenName(route: unknown): readonly string[] {
  if (!isPlainMap(route)) return [];
  const name = route['name'] ?? route['path'];
  return typeof name === 'string' ? [name] : [];
}
