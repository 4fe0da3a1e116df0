import { isLoopback, parseAddress } from '../core/address.ts';
import { IDENTITY_FIELDS } from '../core/policy.ts';
import { canonicalName } from '../core/upstream.ts';
import { isLoopbackHost, parseListen } from './location.ts';
import type { Path } from './problem.ts';
import { type Review, settingPath } from './review.ts';
import type { Config } from './schema.ts';

/** Reports what is wrong around the rules: listeners, places of credentials, blocks, headers, slugs. */
export function checkShell(review: Review): void {
  const { config } = review;
  checkListen(review);
  if (typeof config.client_ip === 'object') {
    checkOneOf(review, config.client_ip, ['trusted_hops', 'xff_from_right'], ['client_ip']);
  }
  checkPlaces(review, config.api_keys.read_from, ['api_keys', 'read_from']);
  for (const [index, issuer] of config.issuers.entries()) {
    checkPlaces(review, issuer.read_from, ['issuers', index, 'read_from']);
  }
  for (const [index, block] of config.blocks.entries()) {
    checkOneOf(review, block, ['ip', 'key', 'username', 'workspace', 'client'], ['blocks', index]);
  }
  checkSlugs(review);
  checkIdentityHeaders(review);
}

/** Whether an address is reached from this machine only. */
export function isLocal(text: string): boolean {
  const listen = parseListen(text);
  if (listen?.kind !== 'tcp') return true;
  const address = parseAddress(listen.host);
  return address ? isLoopback(address) : isLoopbackHost(listen.host);
}

/** The address and TLS settings of the gRPC listener. */
export function checkListener(check: Config['listen']['check']) {
  return typeof check === 'string' ? { address: check, tls: undefined } : check;
}

function checkListen(review: Review): void {
  const { address, tls } = checkListener(review.config.listen.check);
  const path: Path = ['listen', 'check'];
  if (
    tls?.client_names &&
    tls.client_ca === undefined &&
    !review.wrote([...path, 'tls', 'client_ca'])
  ) {
    review.problem([...path, 'tls', 'client_names'], 'client_names needs client_ca', 'key');
  }
  if (tls || isLocal(address) || review.wrote([...path, 'tls'])) return;
  review.warn(
    path,
    'not a loopback address and no TLS: whoever reads this network reads credentials',
  );
}

function checkPlaces(review: Review, places: readonly (string | object)[], path: Path): void {
  for (const [index, place] of places.entries()) {
    if (typeof place === 'string') continue;
    checkOneOf(review, place, ['header', 'query', 'cookie'], [...path, index]);
  }
}

function checkOneOf(review: Review, map: object, keys: readonly string[], path: Path): void {
  const written = keys.filter((key) => Object.hasOwn(map, key) || review.wrote([...path, key]));
  if (written.length === 1) return;
  review.problem(path, `expected exactly one of ${keys.join(', ')}`);
}

/** A slug that is also another workspace's id or slug would open one tenant's routes to the other. */
function checkSlugs(review: Review): void {
  const workspaces = Object.entries(review.config.workspaces);
  const owners = new Map(workspaces.map(([id]) => [id, id]));
  for (const [id, { slug }] of workspaces) {
    if (slug === undefined) continue;
    const owner = owners.get(slug);
    if (owner !== undefined && owner !== id) {
      const message = `this slug also names the workspace ${JSON.stringify(owner)}`;
      review.problem(['workspaces', id, 'slug'], message);
    } else owners.set(slug, id);
  }
}

/** The header of each identity field, in lower case. */
export function identityHeaders(upstream: Config['upstream']) {
  const prefix = upstream.prefix.toLowerCase();
  const entries = IDENTITY_FIELDS.map((field) => {
    const name = upstream.headers[field] ?? prefix + field.replaceAll('_', '-');
    return [field, name.toLowerCase()];
  });
  return Object.fromEntries(entries) as Record<(typeof IDENTITY_FIELDS)[number], string>;
}

/** Two facts under one header name would leave upstream with the wrong one. */
function checkIdentityHeaders(review: Review): void {
  const { upstream } = review.config;
  const owners = new Map<string, string>();
  for (const [field, name] of Object.entries(identityHeaders(upstream))) {
    const canonical = canonicalName(name);
    const owner = owners.get(canonical);
    const path: Path = ['upstream', 'headers', field];
    if (owner === undefined) owners.set(canonical, field);
    else review.problem(path, `the header ${name} already carries the ${owner}`);
  }
  const check = (headers: object | undefined, path: Path) => {
    for (const header of Object.keys(headers ?? {})) {
      const owner = owners.get(canonicalName(header.toLowerCase()));
      if (owner === undefined) continue;
      review.problem([...path, header], `the header ${header} already carries the ${owner}`, 'key');
    }
  };
  for (const [index, issuer] of review.config.issuers.entries()) {
    check(issuer.headers, ['issuers', index, 'headers']);
  }
  for (const [index, route] of review.routes.entries()) {
    check(route.headers, settingPath(review, index, 'headers'));
  }
}
