import { type Deny, deny, type Preflight } from './decision.ts';
import { holdsOrigin, parseOrigin } from './origin.ts';
import type { Cors, Route } from './policy.ts';
import { type Request, soleHeader } from './request.ts';

/** A response header and how it meets the upstream's own copy. */
export type ResponseHeader = {
  readonly name: string;
  readonly value: string;
  readonly mode: 'set' | 'append' | 'replace_existing';
};

/** Refuses an Origin that the route's `cors` does not name; a request without one is no CORS request. */
export function judgeOrigin(route: Route, request: Request): Deny | undefined {
  const text = soleHeader(request.headers, 'origin');
  if (!route.cors || text === undefined) return undefined;
  const origin = parseOrigin(text);
  const isAllowed =
    origin !== undefined &&
    (route.cors.origins === 'keys' || holdsOrigin(route.cors.origins, origin));
  return isAllowed ? undefined : deny('admit', 'origin_not_allowed');
}

/** The Origin of a CORS request that the route accepts; refusals carry CORS headers for it too. */
export function acceptedOrigin(route: Route, request: Request): string | undefined {
  if (!route.cors || judgeOrigin(route, request)) return undefined;
  return soleHeader(request.headers, 'origin');
}

/** The headers of an answer to an allowed Origin; upstream's own CORS headers are replaced (Fetch standard). */
export function corsHeaders(cors: Cors, origin: string | undefined): readonly ResponseHeader[] {
  const vary: ResponseHeader = { name: 'vary', value: 'origin', mode: 'append' };
  if (origin === undefined) return [vary];
  const headers: ResponseHeader[] = [
    { name: 'access-control-allow-origin', value: origin, mode: 'set' },
    vary,
    cors.credentials
      ? { name: 'access-control-allow-credentials', value: 'true', mode: 'set' }
      : { name: 'access-control-allow-credentials', value: 'false', mode: 'replace_existing' },
  ];
  if (cors.expose !== '') {
    headers.push({ name: 'access-control-expose-headers', value: cors.expose, mode: 'set' });
  }
  return headers;
}

/** The headers of a 204 that answers a preflight. */
export function preflightHeaders(
  cors: Cors,
  origin: string | undefined,
  preflight: Preflight,
): readonly (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [];
  if (origin !== undefined) headers.push(['access-control-allow-origin', origin]);
  headers.push(['access-control-allow-methods', cors.methods ?? preflight.method]);
  if (cors.headers !== '') headers.push(['access-control-allow-headers', cors.headers]);
  if (cors.credentials) headers.push(['access-control-allow-credentials', 'true']);
  if (cors.maxAgeSeconds !== undefined) {
    headers.push(['access-control-max-age', String(cors.maxAgeSeconds)]);
  }
  headers.push(['vary', 'origin, access-control-request-method, access-control-request-headers']);
  return headers;
}
